package import RESP

extension QueuedCommand {
    /// Answers it by itself, for a port whose transactions may be made one command after the other.
    package func answer(in transaction: TransactionInvocation) async -> Reply {
        guard case .port(let handler) = command.action else { return .error(.notInTransaction) }
        let invocation = Invocation(
            request: request, account: transaction.account, client: transaction.client, version: transaction.version)
        switch handler {
        case .immediate(let answer): return answer(invocation)
        case .asynchronous(let answer): return await answer(invocation)
        case .cached(let answer, otherwise: let otherwise):
            if let reply = answer(invocation) { return reply }
            return await otherwise(invocation)
        case .deferred: return .error(.notInTransaction)
        }
    }
}
