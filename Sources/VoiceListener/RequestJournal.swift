package import Journal
internal import Projection
internal import RESP
internal import VoiceEvents

/// The journals of requests to the region's voice front ends, one a tenant. They are not mirrored.
package struct RequestJournal: Sendable {
    /// Requests that a journal keeps, about: more wait only where no front end has read for long.
    private static let length = 10_000
    private static let age = Duration.seconds(86_400)
    /// How long it is remembered what was asked once.
    private static let memory = Duration.seconds(86_400)

    let region: String
    let store: any ProjectionStore
    let refusals: RefusalLog

    /// The journal of a tenant's requests.
    package static func name(tenant: String, region: String) -> JournalName {
        JournalName(.requests, tenant: tenant, origin: region)
    }

    /// The key of the last reference that a tenant's requests were given.
    package static func counterKey(tenant: String, region: String) -> String { "rs:{\(tenant)}:reference:\(region)" }

    /// The key of what an account asked for under `once`. Names of accounts have no spaces.
    package static func onceKey(_ once: String, of account: String, tenant: String, region: String) -> String {
        "rs:{\(tenant)}:once:\(region):\(account) \(once)"
    }

    /// Puts a request on the journal, if it is not there under `once` by the same account; gives its reference.
    func put(
        _ request: CallRequest, tenant: Int64, once: String?, by account: String
    ) async throws(ReplyError) -> Int64 {
        let onceKey = once.map { Self.onceKey($0, of: account, tenant: "\(tenant)", region: region) }
        let command = command(request, tenant: "\(tenant)", onceKey: onceKey)
        do throws(StoreFailure) {
            return try await reference(command)
        } catch {
            if case .server("CONFLICT", _) = error {} else { refusals.note(error) }
            throw ReplyError(ofWrite: error)
        }
    }

    /// Sends the command, again with the library where the server has lost that.
    private func reference(_ command: RedisCommand) async throws(StoreFailure) -> Int64 {
        var results = await store.run([command])
        if case .failure(let failure)? = results.first, failure.isFunctionMissing {
            results = await store.run([RequestFunctions.library.loadCommand, command])
        }
        guard case .integer(let reference)? = try results.last?.get() else {
            throw StoreFailure.server(code: "ERR", message: "\(RequestFunctions.request) does not answer a reference")
        }
        return reference
    }

    private func command(_ request: CallRequest, tenant: String, onceKey: String?) -> RedisCommand {
        var keys = [
            Self.name(tenant: tenant, region: region).key, Self.counterKey(tenant: tenant, region: region),
        ]
        if let onceKey { keys.append(onceKey) }
        return RedisCommand(
            words: ["FCALL", RequestFunctions.request, "\(keys.count)"] + keys + [
                request.kind.rawValue, request.key, request.data, "\(Self.length)",
                "\(Self.age.components.seconds * 1000)", "\(Self.memory.components.seconds)",
            ], runs: [])
    }
}
