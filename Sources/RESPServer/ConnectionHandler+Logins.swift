internal import NIOCore
internal import NIOPosix
internal import RESP

/// Secrets are checked when the throttle lets them be, slow ones off the event loop; the client waits, as for any command.
extension ConnectionHandler {
    func check(_ login: Login, at now: NIODeadline) {
        guard let context else { return }
        lastTicket += 1
        let ticket = lastTicket
        running = Running(ticket: ticket, began: now)
        attempt(login, ticket: ticket, context)
    }

    /// Asks whether the login may be checked now.
    private func attempt(_ login: Login, ticket: Int, _ context: ChannelHandlerContext) {
        let now = Duration(uptimeOf: .now())
        let eventLoop = context.eventLoop.assumeIsolatedUnsafeUnchecked()
        switch listener.loginAttempted(from: source, at: now) {
        case .now: verify(login, ticket: ticket)
        case .later(let time):
            eventLoop.scheduleTask(in: TimeAmount(time - now)) { self.verify(login, ticket: ticket) }
        case .again(let time):
            eventLoop.scheduleTask(in: TimeAmount(time - now)) {
                if let context = self.context { self.attempt(login, ticket: ticket, context) }
            }
        case .refused:
            listener.metrics.rejected(.throttled)
            answered(session.loginPostponed(), ticket: ticket)
        }
    }

    /// The login has its turn, which is given back if nobody waits any more.
    private func verify(_ login: Login, ticket: Int) {
        guard let context, running?.ticket == ticket, !isClosing else {
            return listener.loginEnded(from: source, at: Duration(uptimeOf: .now()))
        }
        let accounts = listener.accounts.current
        guard accounts.hasSlowSecrets else { return checked(accounts.account(for: login), ticket: ticket) }
        NIOThreadPool.singleton.runIfActive(eventLoop: context.eventLoop) { accounts.account(for: login) }
            .assumeIsolatedUnsafeUnchecked()
            .whenComplete { result in
                self.checked(try? result.get(), ticket: ticket)
            }
    }

    private func checked(_ account: Account?, ticket: Int) {
        let now = Duration(uptimeOf: .now())
        // The accounts may have been replaced while the secret was checked.
        let account = account.flatMap { listener.accounts.current.account(named: $0.name) }
        if account != nil {
            listener.loginEnded(from: source, at: now)
        } else {
            listener.metrics.rejected(.login)
            listener.loginFailed(from: source, at: now)
        }
        guard let running, running.ticket == ticket, !isClosing else { return }
        if let account {
            let (before, version) = (session.account, session.version)
            let reply = session.loggedIn(as: account)
            cutOffIfChanged(since: before)
            answered(reply, ticket: ticket)
            closeIfLowered(from: version)
        } else {
            answered(session.loginRefused(), ticket: ticket)
        }
    }
}
