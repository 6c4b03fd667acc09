/// Decides whether this worker may do its region's work: one of the region's workers holds the lease, the others stand by.
///
/// The lease is a value in the region's own Redis that changes only by compare-and-set. No clock but this worker's own,
/// which never jumps, decides anything. A holder may act for a while from when it SENT the renewal that was answered; when
/// its connection ends, that ends too. Another worker takes the lease once it is given back, once the server has closed the
/// holder's connection, or once the same value has stood there for longer than its holder may act. So two workers never
/// may act at once as long as their clocks run alike. Whatever one that is paused between looking at this and writing
/// still sends is refused, or does no harm, by the guard of each write.
///
/// The driver reports facts and performs every action that `nextAction` gives; it asks again at `deadline`.
package struct WorkerLease: Sendable {
    package struct Settings: Hashable, Sendable {
        /// How long a value must have stood unchanged before somebody else may replace it. Short enough that within three
        /// seconds of the holder's last sign of life another worker is at work.
        package var term = Duration.milliseconds(2400)
        /// How much sooner the holder stops: for its work to end in, and for clocks that run apart by a tenth.
        package var margin = Duration.milliseconds(300)
        /// How often the holder renews.
        package var renewInterval = Duration.milliseconds(700)
        /// How often the others look.
        package var lookInterval = Duration.milliseconds(250)

        package init() {}
    }

    package enum Action: Hashable, Sendable {
        /// Read the lease, and find out whether the server still has this connection; answer with `answered` or `failed`.
        case look(connection: Int64?)
        /// Replace the lease if it is as expected; answer with `answered`, what it is then, or `failed`.
        case exchange(LeaseValue, for: LeaseValue)
    }

    private enum State: Sendable {
        /// There is no connection. → seeking, ended
        case disconnected
        /// Another worker holds the lease, or may. → holding, disconnected, ended
        case seeking
        /// This worker may act until then. → seeking, disconnected, ended
        case holding(until: Duration)
        /// Final.
        case ended
    }

    /// A value, and since when it has been seen unchanged.
    private struct Sighting: Sendable {
        let value: LeaseValue
        let since: Duration
        /// The server no longer has its holder's connection.
        var isForsaken = false
    }

    private struct Request: Sendable {
        let sentAt: Duration
        /// What the lease will be if the server takes it; nil for a look.
        let proposed: LeaseValue?
    }

    /// This worker's name, drawn when it started.
    package let worker: String
    private let settings: Settings
    private var state = State.disconnected
    private var connection: Int64 = 0
    private var beat: UInt64 = 0
    private var sighting: Sighting?
    private var request: Request?
    private var askAt = Duration.zero
    /// Nobody else was seen to hold the lease, and since this connection began it is absent: a server that lost it with
    /// its connections, or one that never had it.
    private var isFresh = true

    package init(worker: String, settings: Settings = Settings()) {
        self.worker = worker
        self.settings = settings
    }

    /// Whether this worker may do the region's work.
    package func mayAct(at now: Duration) -> Bool {
        if case .holding(let until) = state { now < until } else { false }
    }

    /// Whether the lease can be asked for.
    package var isConnected: Bool {
        switch state {
        case .seeking, .holding: true
        case .disconnected, .ended: false
        }
    }

    /// Who held the lease when it was last seen, this worker perhaps; nil for nobody.
    package var holder: String? { sighting?.value.holder }

    /// When to ask for an action again though nothing was reported; nil for not at all.
    package var deadline: Duration? {
        switch state {
        case .disconnected, .ended: nil
        case .seeking: request == nil ? askAt : nil
        case .holding(let until): request == nil ? min(askAt, until) : until
        }
    }

    // MARK: Facts

    /// There is a connection to the server, which numbers it so.
    package mutating func connected(as number: Int64, at now: Duration) {
        guard case .disconnected = state else { return }
        state = .seeking
        connection = number
        isFresh = sighting.map { $0.value.holder == worker } ?? true
        askAt = now
    }

    /// The connection is gone: another worker may know that by now, and take the lease.
    package mutating func connectionLost() {
        request = nil
        if isConnected { state = .disconnected }
    }

    /// What the lease says after the last action. `isHolderGone`: the server does not have the connection looked for.
    package mutating func answered(_ value: LeaseValue, isHolderGone: Bool = false, at now: Duration) {
        guard isConnected, let request else { return }
        self.request = nil
        if value != .absent { isFresh = false }
        if value == request.proposed {
            sighting = Sighting(value: value, since: now)
            state = .holding(until: request.sentAt + settings.term - settings.margin)
            askAt = request.sentAt + settings.renewInterval
            return
        }
        if value != sighting?.value {
            sighting = Sighting(value: value, since: now)
        } else if isHolderGone {
            sighting?.isForsaken = true
        }
        // A holder whose renewal was taken and not answered renews again; so it does where the server lost the lease.
        if case .holding = state, value.holder != worker, value != .absent { state = .seeking }
        let mayWait = request.proposed == nil && !mayTake(at: now)
        askAt = mayWait ? min(now + settings.lookInterval, patienceEnd) : now
    }

    /// The server did not do the last action, and says so.
    package mutating func failed(at now: Duration) {
        request = nil
        askAt = now + settings.lookInterval
    }

    /// This worker's work has ended for good. Gives the exchange that lets the next one take over at once, if it holds the
    /// lease; an answer is not awaited.
    package mutating func stopped() -> Action? {
        defer { state = .ended }
        guard case .holding = state, let held = request?.proposed ?? sighting?.value else { return nil }
        return .exchange(held, for: .released)
    }

    // MARK: Actions

    /// The next thing to do, or nil until another fact is reported or `deadline` has come.
    package mutating func nextAction(at now: Duration) -> Action? {
        if case .holding(let until) = state, now >= until { state = .seeking }
        guard isConnected, request == nil, now >= askAt else { return nil }
        let known = sighting?.value ?? .absent
        guard mayAct(at: now) || mayTake(at: now) else {
            request = Request(sentAt: now, proposed: nil)
            return .look(connection: known.connection)
        }
        beat += 1
        let new = LeaseValue(holder: worker, connection: connection, beat: beat)
        request = Request(sentAt: now, proposed: new)
        return .exchange(known, for: new)
    }

    /// When the value that was seen last may be replaced if it stands until then.
    private var patienceEnd: Duration { (sighting?.since ?? .zero) + settings.term }

    /// Whether nobody can hold the lease as it was last seen, or this worker does.
    private func mayTake(at now: Duration) -> Bool {
        guard let sighting else { return true }
        let isFree =
            sighting.value == .released || sighting.value.holder == worker || sighting.isForsaken
            || sighting.value == .absent && isFresh
        return isFree || now >= patienceEnd
    }
}
