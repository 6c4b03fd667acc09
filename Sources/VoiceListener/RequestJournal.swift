package import Journal
internal import Projection
internal import RESP
internal import VoiceEvents

/// The journals of requests to the region's voice front ends, one a tenant. They are not mirrored.
package struct RequestJournal: Sendable {
    /// Requests that a journal keeps, about: more wait only where no front end has read for long.
    private static let length = 10_000
    private static let age = Duration.seconds(86_400)

    let region: String
    let store: any ProjectionStore
    let refusals: RefusalLog

    /// The journal of a tenant's requests.
    package static func name(tenant: String, region: String) -> JournalName {
        JournalName(.requests, tenant: tenant, origin: region)
    }

    /// The key of the last reference that a tenant's requests were given.
    package static func counterKey(tenant: String, region: String) -> String { "rs:{\(tenant)}:reference:\(region)" }

    /// Puts a request on the journal, if it is not there under `once` by the same account; gives its reference.
    func put(
        _ request: CallRequest, tenant: Int64, once: String?, by account: String
    ) async throws(ReplyError) -> Int64 {
        let onceKey = once.map { OnceMemory.key($0, of: account, tenant: "\(tenant)", region: region) }
        let command = command(request, tenant: "\(tenant)", onceKey: onceKey)
        do throws(StoreFailure) {
            let answer = try await store.answer(to: command, of: RequestFunctions.library)
            guard case .integer(let reference)? = answer else {
                throw StoreFailure.server(
                    code: "ERR", message: "\(RequestFunctions.request) does not answer a reference")
            }
            return reference
        } catch {
            if case .server("CONFLICT", _) = error {} else { refusals.note(error) }
            throw ReplyError(ofWrite: error)
        }
    }

    private func command(_ request: CallRequest, tenant: String, onceKey: String?) -> RedisCommand {
        var keys = [
            Self.name(tenant: tenant, region: region).key, Self.counterKey(tenant: tenant, region: region),
        ]
        if let onceKey { keys.append(onceKey) }
        return RedisCommand(
            words: ["FCALL", RequestFunctions.request, "\(keys.count)"] + keys + [
                request.kind.rawValue, request.key, request.data, "\(Self.length)",
                "\(Self.age.components.seconds * 1000)", OnceMemory.lifetime,
            ], runs: [])
    }
}
