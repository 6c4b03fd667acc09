internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import Observability
internal import RESP

/// One client's connection on its event loop: requests in, their replies out in order, one command at a time.
///
/// While a command runs elsewhere the requests behind it wait, up to a bound, and then the client does. So it does while
/// it takes less than it is sent. See `+Requests`, `+Logins`, `+Input`, `+Output` and `+Time`.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A command whose reply is owed.
    struct Running {
        let ticket: Int
        let began: NIODeadline
        /// Nil while a login is checked.
        var pending: PendingReply?
        /// Whether it is left to end by itself while the port closes.
        var outlastsDrain = false
        /// Memory that its request takes, or those of its transaction.
        var heldBytes = 0
    }

    let listener: Listener
    let source: ClientSource
    let id: Int64

    var context: ChannelHandlerContext?
    var session: Session
    var decoder: RequestDecoder
    var client: Client?
    private var ended: EventLoopPromise<Void>?
    private var accountsRevision: Int

    // Requests
    var running: Running?
    var lastTicket = 0
    var isProcessing = false
    var isReadPaused = false
    /// Whether it is gone on with when others have had their turn of the event loop.
    var isPostponed = false
    var watches = 0
    var isDraining = false
    /// What the command that runs wants done when the port begins to close.
    var onDrain: (@Sendable () -> Void)?
    /// Whether nothing is read or run any more.
    var isClosing = false

    /// Bytes of what was received that the port has in its total.
    var countedInput = 0

    // Output
    var output = ByteBuffer()
    var isFlushScheduled = false
    /// What waits for the client while it takes less than it is sent.
    var untaken: UntakenOutput?

    // Time
    var lastReceived: NIODeadline
    /// When the client has to have logged in, or sent a first request; nil when it has.
    var handshakeEnd: NIODeadline?
    var closingSince: NIODeadline?
    var isCutOff = false
    var wakeTime = NIODeadline.distantFuture

    init(id: Int64, source: ClientSource, channel: any Channel, listener: Listener) {
        self.id = id
        self.source = source
        self.listener = listener
        accountsRevision = listener.accounts.revision
        let now = NIODeadline.now()
        let facts = Session.Facts(
            id: id, address: channel.remoteAddress.hostAndPort, localAddress: channel.localAddress.hostAndPort,
            accepted: Duration(uptimeOf: now))
        session = Session(facts: facts, table: listener.table, accounts: listener.accounts.current)
        decoder = RequestDecoder(limits: listener.limits.requestsBeforeLogin)
        lastReceived = now
    }

    /// Sees to it that the session has the accounts as they are now.
    func refreshAccounts() {
        let revision = listener.accounts.revision
        guard revision != accountsRevision else { return }
        accountsRevision = revision
        let before = session.account
        session.accountsChanged(to: listener.accounts.current)
        cutOffIfChanged(since: before)
    }

    /// What the client watches or waits for was granted to who it was before.
    func cutOffIfChanged(since before: Account?) {
        let depends = watches > 0 || running?.pending != nil
        if depends, session.account != before { cutOff(.account) }
    }
}

// MARK: - Channel events

extension ConnectionHandler {
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let ended = context.eventLoop.makePromise(of: Void.self)
        self.ended = ended
        let client = Client(
            id: id, address: session.facts.address, eventLoop: context.eventLoop, connection: self,
            ended: ended.futureResult)
        self.client = client
        handshakeBegan()
        listener.began(client)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        isClosing = true
        self.context = nil
        cancelRunning()
        running = nil
        onDrain = nil
        client?.forgetConnection()
        client = nil
        outputTaken()
        countInput()
        listener.ended(id, from: source)
        ended?.succeed()
        ended = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        cancelRunning()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing, !isDraining else { return }
        lastReceived = .now()
        decoder.feed(unwrapInboundIn(data))
        process(isReading: true)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        if context.channel.isWritable {
            if closingSince != nil { closingSince = now }
            lastReceived = max(lastReceived, now)
            outputTaken()
            process()
        } else {
            outputUntaken(context, at: now)
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent { certificateShown(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        // The client is gone without a word, as many are.
        case NIOSSLError.uncleanShutdown: close()
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: cutOff(.tls)
        default: close()
        }
    }

    /// The client's certificate has been verified, if it has one.
    private func certificateShown(_ context: ChannelHandlerContext) {
        guard let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate() else { return }
        let isLogin = session.certificateShown(with: certificate.names, to: listener.accounts.current)
        if isLogin { checkHandshake() }
    }
}

extension NIOSSLCertificate {
    /// DNS names, URIs and mail addresses of the subject.
    fileprivate var names: [String] {
        _subjectAlternativeNames()
            .filter { [.dnsName, .uri, .email].contains($0.nameType) }
            .map { String(decoding: $0.contents, as: UTF8.self) }
    }
}
