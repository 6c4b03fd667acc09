package import RESP

/// A command that is to run: what was asked, by whom, over which connection.
package struct Invocation: Sendable {
    /// The words; there are as many as the command's arity says.
    package let request: Request
    /// Who asks, as the account is now. It has the command's permission; what tenants it sees is the command's to heed.
    package let account: Account
    package let client: Client
    /// What the client speaks: only in RESP3 can it tell what it did not ask for from a reply.
    package let version: RESPVersion
}

/// The commands between `MULTI` and `EXEC`, each of which could run by itself.
package struct TransactionInvocation: Sendable {
    package let commands: [QueuedCommand]
    package let account: Account
    package let client: Client
    package let version: RESPVersion
}

/// A command that waits for `EXEC`.
package struct QueuedCommand: Sendable {
    package let command: Command
    package let request: Request
}
