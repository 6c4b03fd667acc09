internal import Synchronization

/// The accounts as they are now, for all connections; replaced without dropping any.
package final class AccountStore: Sendable {
    private struct State {
        var accounts: Accounts
        var observers: [@Sendable () -> Void] = []
    }

    private let state: Mutex<State>
    private let number = Atomic<Int>(0)

    package init(_ accounts: Accounts) {
        state = Mutex(State(accounts: accounts))
    }

    /// Replaces the accounts. Clients that are logged in stay so under the new permissions and tenants of their account;
    /// those whose account is gone, or who were let in by a certificate that is not one of its any more, have to log in again.
    package func replace(with accounts: Accounts) {
        let observers = state.withLock { state in
            state.accounts = accounts
            return state.observers
        }
        number.wrappingAdd(1, ordering: .releasing)
        for observer in observers { observer() }
    }

    /// Changes with every replacement.
    package var revision: Int { number.load(ordering: .acquiring) }

    package var current: Accounts { state.withLock { $0.accounts } }

    /// Calls `action` after every replacement, for as long as there is a store.
    func observe(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.observers.append(action) }
    }
}
