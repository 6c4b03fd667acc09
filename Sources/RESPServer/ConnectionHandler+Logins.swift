internal import NIOCore
internal import NIOPosix
internal import RESP

/// Secrets are checked when the throttle lets them be, slow ones off the event loop; the client waits, as for any command.
extension ConnectionHandler {
    func check(_ login: Login, at now: NIODeadline) {
        guard let context else { return }
        lastTicket += 1
        let ticket = lastTicket
        let bytes = login.name.utf8.count + login.secret.count
        running = Running(ticket: ticket, began: now, heldBytes: bytes)
        attempt(login, ticket: ticket, context)
    }

    /// Asks whether the login may be checked now.
    private func attempt(_ login: Login, ticket: Int, _ context: ChannelHandlerContext) {
        let now = Duration(uptimeOf: .now())
        follow(listener.loginAttempted(from: source, at: now), of: login, ticket: ticket, context)
    }

    private func follow(
        _ verdict: LoginThrottle.Verdict, of login: Login, ticket: Int, _ context: ChannelHandlerContext
    ) {
        let now = Duration(uptimeOf: .now())
        let eventLoop = context.eventLoop.assumeIsolatedUnsafeUnchecked()
        switch verdict {
        case .now: verify(login, ticket: ticket)
        case .later(let time):
            eventLoop.scheduleTask(in: TimeAmount(time - now)) { self.turnCame(time, login, ticket: ticket) }
        case .again(let time):
            eventLoop.scheduleTask(in: TimeAmount(time - now)) {
                if let context = self.context { self.attempt(login, ticket: ticket, context) }
            }
        case .refused:
            refused(login, .throttled, on: context.eventLoop)
            answered(session.loginPostponed(), ticket: ticket)
        }
    }

    /// The login waited for its turn, which is given back if nobody waits any more.
    private func turnCame(_ turn: Duration, _ login: Login, ticket: Int) {
        guard let context, let running, running.ticket == ticket, !isClosing else {
            return listener.loginEnded(from: source, at: Duration(uptimeOf: .now()))
        }
        let verdict = listener.loginTurnCame(turn, from: source, since: Duration(uptimeOf: running.began))
        follow(verdict, of: login, ticket: ticket, context)
    }

    /// The login has its turn, which is given back if nobody waits any more.
    private func verify(_ login: Login, ticket: Int) {
        guard let context, running?.ticket == ticket, !isClosing else {
            return listener.loginEnded(from: source, at: Duration(uptimeOf: .now()))
        }
        let revision = listener.accounts.revision
        let accounts = listener.accounts.current
        let loop = context.eventLoop
        guard accounts.hasSlowSecrets else {
            return checked(login, accounts.account(for: login), of: revision, ticket: ticket, on: loop)
        }
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { accounts.account(for: login) }
            .assumeIsolatedUnsafeUnchecked()
            .whenComplete { result in
                self.checked(login, try? result.get(), of: revision, ticket: ticket, on: loop)
            }
    }

    private func checked(
        _ login: Login, _ account: Account?, of revision: Int, ticket: Int, on eventLoop: any EventLoop
    ) {
        // Of accounts that were replaced meanwhile it says nothing.
        guard listener.accounts.revision == revision else { return verify(login, ticket: ticket) }
        let now = Duration(uptimeOf: .now())
        if account != nil {
            listener.loginEnded(from: source, at: now)
        } else {
            let isKnown = listener.accounts.current.account(named: login.name) != nil
            refused(login, isKnown ? .wrongSecret : .noSuchAccount, on: eventLoop)
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

    private func refused(_ login: Login, _ reason: RefusedLogins.Reason, on eventLoop: any EventLoop) {
        let refusal = RefusedLogins.Refusal(of: login.name, at: session.facts.address, reason)
        listener.loginRefused(refusal, from: source, on: eventLoop)
    }
}
