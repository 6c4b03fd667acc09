internal import Journal
internal import RESP
internal import RESPServer
internal import Tenants

/// Which journals the streams are that clients name.
struct VoiceStreams: Sendable {
    let tenants: TenantLookup
    /// The region asked, and all there are.
    let region: String
    let regions: [String]

    /// The journals of these streams; nil where it has to be asked for a tenant, also for one that `account` does not see.
    ///
    /// - Throws: `NOTFOUND` for what is no stream of a region there is.
    func known(_ names: [String], for account: Account) throws(ReplyError) -> [JournalName]? {
        var journals: [JournalName] = []
        for name in names {
            let stream = try stream(name)
            guard let dbid = tenants.known(stream.tenant), account.sees(tenant: dbid) else { return nil }
            journals.append(stream.journal(tenant: dbid, here: region))
        }
        return journals
    }

    /// The same, asking for tenants that are not known.
    func journals(_ names: [String], for account: Account) async throws(ReplyError) -> [JournalName] {
        var journals: [JournalName] = []
        for name in names {
            let stream = try stream(name)
            let dbid = try await tenants.tenant(stream.tenant, for: account)
            journals.append(stream.journal(tenant: dbid, here: region))
        }
        return journals
    }

    private func stream(_ name: String) throws(ReplyError) -> VoiceStream {
        guard let stream = VoiceStream(name) else { throw .noStream }
        if let region = stream.region, !regions.contains(region) { throw .noStream }
        return stream
    }
}
