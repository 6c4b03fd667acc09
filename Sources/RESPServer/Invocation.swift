package import RESP

/// A command that is to run: what was asked, by whom, over which connection.
package struct Invocation: Sendable {
    /// The words; there are as many as the command's arity says.
    package let request: Request
    /// Who asks, as the account is now. It has the command's permission; what tenants it sees is the command's to heed.
    package let account: Account
    package let client: Client
}

/// The commands between `MULTI` and `EXEC`, each of which could run by itself.
package struct TransactionInvocation: Sendable {
    package let commands: [QueuedCommand]
    package let account: Account
    package let client: Client
}

/// A command that waits for `EXEC`.
package struct QueuedCommand: Sendable {
    package let command: Command
    package let request: Request
}
