internal import Journal
internal import Lease
internal import Projection
internal import RESP
internal import Traffic

// How connections begin, carry and end.
extension World {
    /// Where a server stands.
    private func place(of server: Server) -> Int {
        switch server {
        case .redis(let region): region
        case .postgres: 0
        }
    }

    private func direction(of wire: Wire, toServer: Bool) -> Direction {
        let place = place(of: wire.server)
        return toServer
            ? Direction(from: wire.owner.region, to: place) : Direction(from: place, to: wire.owner.region)
    }

    /// Time that a message takes.
    private mutating func delay(_ direction: Direction) -> Int {
        guard direction.from != direction.to else { return random.below(plan.localDelay) }
        return 8 + random.below(5) + (delays[direction] ?? 0)
    }

    // MARK: What owners do

    mutating func connect(_ owner: Owner, _ channel: Channel, to server: Server) {
        close(owner, channel)
        channels[ChannelName(owner: owner, channel: channel)] = wires.count
        wires.append(Wire(owner: owner, channel: channel, server: server))
        send(owner, channel, .connect, .connect)
    }

    mutating func send(_ owner: Owner, _ channel: Channel, _ request: Request, _ question: Question) {
        guard let number = channels[ChannelName(owner: owner, channel: channel)] else { return }
        let due = max(wires[number].lastRequest, now + delay(direction(of: wires[number], toServer: true)))
        wires[number].lastRequest = due
        sentCount += 1
        wires[number].requests.append(
            Wire.Sent(number: sentCount, due: due, request: request, question: question, sentAt: now))
        agenda.add(.request(wire: number), at: due)
    }

    /// The owner gives a connection up: some of what was sent may still arrive, no answer does.
    mutating func close(_ owner: Owner, _ channel: Channel) {
        guard let number = channels.removeValue(forKey: ChannelName(owner: owner, channel: channel)) else { return }
        wires[number].isHeld = false
        wires[number].answers.removeAll()
        wires[number].parked.removeAll()
        let kept = random.below(wires[number].requests.count + 1)
        wires[number].requests.removeSubrange(kept...)
        waiting.remove(number)
        guard channel == .stream else { return }
        let isCut = cuts.contains(direction(of: wires[number], toServer: true))
        agenda.add(
            .hangUp(wire: number), at: now + (isCut ? 2_000 : delay(direction(of: wires[number], toServer: true))))
    }

    /// A connection is cut off somewhere between: the same, and the owner hears of it.
    mutating func reset(_ number: Int) {
        guard wires[number].isHeld, !wires[number].isGone else { return }
        let (owner, channel) = (wires[number].owner, wires[number].channel)
        guard !regions[owner.region].workers[owner.slot].isPaused else {
            wires[number].isGone = true
            wires[number].requests.removeAll()
            wires[number].parked.removeAll()
            waiting.remove(number)
            return
        }
        close(owner, channel)
        tell(owner, .lost(channel))
    }

    // MARK: What arrives

    /// The first request of a wire is at the server, unless its direction is cut: then it waits.
    mutating func arrive(_ number: Int) {
        guard let sent = wires[number].requests.first, sent.due <= now else { return }
        guard !cuts.contains(direction(of: wires[number], toServer: true)) else { return }
        wires[number].requests.removeFirst()
        note(number)
        countToFault()
        guard isUp(wires[number].server) else {
            wires[number].requests.removeAll()
            return reset(number)
        }
        let writes = writes
        if let answer = carryOut(sent, number) {
            give(answer, to: sent, number)
        } else {
            wires[number].parked.append(sent)
            waiting.insert(number)
            agenda.add(.timeout(wire: number, sent: sent.number), at: now + 1000)
        }
        if wires[number].server == .postgres || self.writes != writes { changed(wires[number].server) }
    }

    /// Writes to any Redis so far.
    private var writes: Int { regions.reduce(0) { $0 + $1.redis.writes } }

    private mutating func countToFault() {
        guard let count = requestsToFault else { return }
        requestsToFault = count > 1 ? count - 1 : nil
        if count <= 1 { agenda.add(.fault, at: now) }
    }

    func isUp(_ server: Server) -> Bool {
        switch server {
        case .redis(let region): regions[region].isUp
        case .postgres: isPostgresUp
        }
    }

    mutating func give(_ answer: Answer, to sent: Wire.Sent, _ number: Int) {
        guard wires[number].isHeld else { return }
        let due = max(wires[number].lastAnswer, now + delay(direction(of: wires[number], toServer: false)))
        wires[number].lastAnswer = due
        wires[number].answers.append(
            Wire.Returning(due: due, answer: answer, question: sent.question, sentAt: sent.sentAt))
        agenda.add(.answer(wire: number), at: due)
    }

    /// The first answer of a wire is at its owner, unless its direction is cut.
    mutating func deliver(_ number: Int) {
        guard let first = wires[number].answers.first, first.due <= now, wires[number].isHeld else { return }
        guard !cuts.contains(direction(of: wires[number], toServer: false)) else { return }
        let (owner, channel) = (wires[number].owner, wires[number].channel)
        // Whoever is paused reads it when it goes on.
        guard !regions[owner.region].workers[owner.slot].isPaused else { return }
        wires[number].answers.removeFirst()
        if case .connected = first.answer {
            tell(owner, .connected(channel, wire: number))
        } else {
            tell(owner, .answered(first.question, first.answer))
        }
    }

    /// What was held up in a direction goes on.
    mutating func release() {
        for number in wires.indices where wires[number].isHeld || !wires[number].requests.isEmpty {
            for _ in wires[number].requests {
                agenda.add(.request(wire: number), at: max(now, wires[number].lastRequest))
            }
            for _ in wires[number].answers { agenda.add(.answer(wire: number), at: max(now, wires[number].lastAnswer)) }
        }
    }

    /// Connections that were silent for too long are given up.
    mutating func sweep() {
        for number in wires.indices where wires[number].isHeld {
            let limit = wires[number].requests.isEmpty && wires[number].answers.isEmpty ? 3_500 : 2_500
            guard let since = wires[number].waitingSince, now - since > limit else { continue }
            guard !regions[wires[number].owner.region].workers[wires[number].owner.slot].isPaused else { continue }
            reset(number)
        }
        if let wire = postgres.slot?.wire, isSilent(wires[wire].owner) { hangUp(wire) }
        guard isStirred, !awaitsCut, offences.isEmpty else { return }
        if isSettled { settledAt = now }
    }

    /// PostgreSQL has not heard from whoever streams for as long as it bears.
    private func isSilent(_ owner: Owner) -> Bool {
        let worker = regions[owner.region].workers[owner.slot]
        return worker.isPaused && now - worker.pausedAt > 1_500
    }
}
