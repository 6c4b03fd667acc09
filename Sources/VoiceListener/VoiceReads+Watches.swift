internal import Journal
internal import RESP
internal import RESPServer
internal import Tenants

extension VoiceReads {
    var watchCommands: [Command] {
        [
            Command(
                "VOICE.WATCH", arity: -2, flags: [.readonly, .blocking], permission: .read,
                documentation: Command.Documentation(
                    "Pushes every event of a tenant from now on, of all regions or of those named.", group: "voice",
                    complexity: "O(1) for each event",
                    arguments: [
                        Command.Argument("tenant"), Command.Argument("region", isOptional: true, isMultiple: true),
                    ]),
                handler: .deferred { watch($0, $1) }),
            Command(
                "VOICE.UNWATCH", arity: 2, flags: [.readonly, .fast], permission: .read,
                documentation: Command.Documentation(
                    "Ends a watch.", group: "voice", arguments: [Command.Argument("watch", .integer)]),
                handler: .deferred { unwatch($0, $1) }),
        ]
    }

    /// How long a watch may take to begin.
    private static let patience = Duration.seconds(5)

    private func watch(_ invocation: Invocation, _ pending: PendingReply) {
        do throws(ReplyError) {
            guard invocation.version == .three else { throw ReplyError("VOICE.WATCH needs RESP3: say HELLO 3 first") }
            guard let tenant = invocation.request.validText(1) else { throw .noTenant }
            let regions = try regions(in: invocation.request)
            let client = invocation.client
            // As a stream's, so that all names of tenants are read alike.
            withJournals(["voice:\(tenant)@\(streams.region)"], invocation, pending) { journals in
                guard let journal = journals.first else { return pending.answer(.error(.noTenant)) }
                let wanted = regions.map { region in
                    FeedWait.Stream(region, JournalName.voice(tenant: journal.tenant, origin: region))
                }
                begin(wanted, client, pending)
            }
        } catch {
            pending.answer(.error(error))
        }
    }

    private func regions(in request: Request) throws(ReplyError) -> [String] {
        guard request.count > 2 else { return streams.regions }
        var regions: [String] = []
        for index in 2..<request.count {
            guard let region = request.validText(index), streams.regions.contains(region) else { throw .noRegion }
            if !regions.contains(region) { regions.append(region) }
        }
        return regions
    }

    private func begin(_ wanted: [FeedWait.Stream], _ client: Client, _ pending: PendingReply) {
        guard let (number, isFirst) = watches.reserve(for: client.id) else {
            let message = "more than \(VoiceWatches.limit) watches on a connection"
            return pending.answer(.error("LIMIT", message))
        }
        if isFirst {
            client.whenEnded { [watches, feed] in
                for id in watches.ended(client.id) { feed.unwatch(id) }
            }
        }
        client.watchBegan()
        let wait = FeedWait(
            streams: wanted, purpose: .watch(number: number), deadline: VoiceFeed.now + Self.patience)
        var reader = VoiceFeed.Reader(client: client, pending: pending) { _ in .nothing }
        reader.refused = { [watches] in
            if watches.end(number, for: client.id).isKnown { client.watchEnded() }
        }
        let id = feed.wait(wait, by: reader)
        if !watches.began(number, as: id, for: client.id) { feed.unwatch(id) }
    }

    private func unwatch(_ invocation: Invocation, _ pending: PendingReply) {
        guard let number = invocation.request.integer(1) else { return pending.answer(.error(.notAnInteger)) }
        let client = invocation.client
        let watch = watches.end(number, for: client.id)
        guard watch.isKnown else { return pending.answer(.noWatch) }
        client.watchEnded()
        guard let id = watch.id else { return pending.answer(.ok) }
        feed.unwatch(id, client, pending)
    }
}
