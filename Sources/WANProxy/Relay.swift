internal import Glibc
internal import NIOCore

/// One client's connection and the one made for it to the server; belongs to their event loop.
///
/// A line's source is read only while the line wants more, and a line is emptied only while its destination takes it: a
/// slow side holds up the other, and memory stays bounded.
final class Relay {
    private struct Way {
        var line: DelayLine
        var wake: Scheduled<Void>?
    }

    private let eventLoop: any EventLoop
    private let client: any Channel
    private var server: (any Channel)?
    private var ways: [Direction: Way]
    private var isOver = false
    private let over: (Relay) -> Void

    /// `over` is called once, when both connections are closed.
    init(client: any Channel, conditions: [Direction: LinkConditions], over: @escaping (Relay) -> Void) {
        eventLoop = client.eventLoop
        self.client = client
        ways = conditions.mapValues { Way(line: DelayLine($0)) }
        self.over = over
    }

    var queuedBytes: Int { ways.values.reduce(0) { $0 + $1.line.queuedBytes } }

    func passedBytes(_ direction: Direction) -> Int { ways[direction]?.line.passedBytes ?? 0 }

    // MARK: Facts

    /// The server took the connection.
    func connected(to server: any Channel) {
        guard !isOver else { return server.close(promise: nil) }
        self.server = server
        for direction in Direction.allCases { pump(direction) }
    }

    func received(_ bytes: ByteBuffer, _ direction: Direction) {
        ways[direction]?.line.received(bytes, now: .now())
    }

    /// What was sent this way is in the line: let it travel, and read on.
    func readCompleted(_ direction: Direction) { pump(direction) }

    func ended(_ direction: Direction) {
        ways[direction]?.line.ended(now: .now())
        pump(direction)
    }

    /// The channel that sends this way is gone, without having said so if it broke.
    func closed(_ direction: Direction) {
        guard !isOver else { return }
        ways[direction]?.line.broke(now: .now())
        pump(direction)
    }

    func becameWritable(towards direction: Direction) { pump(direction) }

    func changed(_ conditions: LinkConditions, _ direction: Direction) {
        ways[direction]?.line.changed(to: conditions)
    }

    /// Lets what the conditions allow happen; a connection with a gap in it ends as soon as that can be noticed.
    func settle(isOpen: Bool) {
        if isOpen, ways.values.contains(where: \.line.isBroken) { return reset() }
        for direction in Direction.allCases { pump(direction) }
    }

    func arm(resetAfter bytes: Int, _ direction: Direction) {
        ways[direction]?.line.arm(resetAfter: bytes)
        pump(direction)
    }

    /// Breaks both connections now, with RST.
    func reset() {
        guard !isOver else { return }
        isOver = true
        for direction in Direction.allCases { ways[direction]?.wake?.cancel() }
        client.reset()
        server?.reset()
        over(self)
    }

    // MARK: Pumping

    private func destination(_ direction: Direction) -> (any Channel)? { direction == .there ? server : client }

    private func source(_ direction: Direction) -> (any Channel)? { direction == .there ? client : server }

    private func pump(_ direction: Direction) {
        guard !isOver, var way = ways[direction], let destination = destination(direction) else { return }
        let now = NIODeadline.now()
        way.wake?.cancel()
        way.wake = nil
        var mark: DelayLine.Release?
        while mark == nil, destination.isWritable, let release = way.line.next(now: now) {
            if case .bytes(let bytes) = release {
                destination.write(bytes, promise: nil)
            } else {
                mark = release
            }
        }
        if destination.isWritable, let time = way.line.wakeTime {
            way.wake = eventLoop.assumeIsolated().scheduleTask(deadline: time) { self.pump(direction) }
        }
        ways[direction] = way
        destination.flush()  // may end the relay, or pump again
        guard !isOver else { return }
        switch mark {
        case .end: destination.close(mode: .output, promise: nil)
        case .reset: return reset()
        case .bytes, nil: break
        }
        if ways[direction]?.line.wantsMore == true { source(direction)?.read() }
    }
}

extension Channel {
    /// Closes with RST: what the other side has not read is lost.
    func reset() {
        if let provider = self as? any SocketOptionProvider {
            provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in self.close(promise: nil) }
        } else {
            close(promise: nil)
        }
    }
}
