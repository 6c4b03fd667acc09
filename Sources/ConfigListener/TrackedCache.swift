package import Logging
package import Observability
package import Projection
package import RESP
internal import Synchronization

/// The local Redis as the provisioning port reads it: one session at a time, and the memory that Redis keeps fresh through
/// it.
///
/// While there is no session nothing is read, and memory serves what it has, which may be old; nobody is told of changes then.
/// All of it is forgotten before a new session is used.
package final class TrackedCache: ProjectionStore {
    package static let component = "config cache"

    package let memory: ObjectMemory
    private let tracking: any CacheTracking
    private let states: ComponentStates
    private let logger: Logger
    private let current = Mutex<(any CacheSession)?>(nil)

    package init(
        tracking: any CacheTracking, memory: ObjectMemory, states: ComponentStates, logger: Logger
    ) {
        self.tracking = tracking
        self.memory = memory
        self.states = states
        self.logger = logger
    }

    /// Keeps a session until cancelled.
    package func run() async {
        enter(ComponentState("connecting", .waiting))
        while !Task.isCancelled {
            let failure: StoreFailure
            do throws(StoreFailure) {
                let session = try await tracking.open { [memory] in memory.invalidate($0) }
                // Before anybody can read through it: what begins to be read from now on is watched.
                memory.forgetAll()
                current.withLock { $0 = session }
                enter(ComponentState("tracking", .working))
                failure = await session.ended()
                current.withLock { $0 = nil }
            } catch {
                failure = error
            }
            guard !Task.isCancelled else { break }
            enter(
                ComponentState(
                    "away", .waiting,
                    reason: "reads are answered from memory, which may be old, or refused: \(failure)",
                    advice: failure.isWithoutRight ? "regionsync check names the rights that are missing" : nil))
        }
    }

    /// The session there is; nil while Redis is away. Who is to remember what it reads begins the fill before it asks for
    /// the session: a new one could come between, and what was read through the old one would be kept unwatched.
    var session: (any CacheSession)? { current.withLock { $0 } }

    /// Returns when memory has forgotten whatever had changed before the call. Fails where that is not known: there is no
    /// session, or it ends.
    func heard() async throws(StoreFailure) {
        guard let session else { throw .unreachable("the region's Redis is away") }
        // What is told of changes is told for the connection that reads: it has to have been there all the while.
        let asked = await session.send([RedisCommand("PING")])
        try await session.heard()
        for answer in await asked.replies() { _ = try answer.get() }
    }

    /// Fails at once while Redis is away.
    package func send(_ commands: [RedisCommand]) async -> SentCommands {
        guard let session else {
            return SentCommands { commands.map { _ in .failure(.unreachable("the region's Redis is away")) } }
        }
        return await session.send(commands)
    }

    private func enter(_ state: ComponentState) {
        states.set(Self.component, state, logging: "The provisioning port's cache changed state", to: logger)
    }
}
