internal import NIOCore
package import RESP
internal import Synchronization

/// Replies and pushes for many clients, which leave with one visit to each of their event loops.
///
/// Nothing is sent before the loop comes to it, also when that is the one that `send` is called on: who holds a lock may
/// call it, and mailings reach a client in the order in which they were sent.
package struct Mailing: Sendable {
    private enum Item: Sendable {
        case reply(PendingReply, Reply)
        case push(Client, Push)
        case watchEnded(Client)
    }

    private struct Bag: Sendable {
        let eventLoop: any EventLoop
        var items: [Item] = []
    }

    /// There are few event loops.
    private var bags: [Bag] = []

    package init() {}

    package var isEmpty: Bool { bags.isEmpty }

    /// Answers what is owed to a client.
    package mutating func add(_ reply: Reply, to pending: PendingReply) {
        add(.reply(pending, reply), on: pending.client.eventLoop)
    }

    /// The client watches one thing less, from when it has been sent what was added before.
    package mutating func endWatch(of client: Client) {
        add(.watchEnded(client), on: client.eventLoop)
    }

    /// Sends a client what it did not ask for.
    package mutating func add(_ push: Push, to client: Client) {
        add(.push(client, push), on: client.eventLoop)
    }

    /// `taken` is called when all of the event loops have come to it, by the last of them; at once where it is empty.
    package func send(taken: (@Sendable () -> Void)? = nil) {
        guard !bags.isEmpty else {
            taken?()
            return
        }
        let receipt = taken.map { Receipt(loops: bags.count, $0) }
        for bag in bags {
            bag.eventLoop.execute {
                defer { receipt?.loopCame() }
                for item in bag.items {
                    switch item {
                    case .reply(let pending, let reply): pending.answer(reply)
                    case .push(let client, let push): client.push(push)
                    case .watchEnded(let client): client.watchEnded()
                    }
                }
            }
        }
    }

    private mutating func add(_ item: Item, on eventLoop: any EventLoop) {
        for index in bags.indices where bags[index].eventLoop === eventLoop {
            bags[index].items.append(item)
            return
        }
        bags.append(Bag(eventLoop: eventLoop, items: [item]))
    }
}

/// Tells that all of the event loops have come to a mailing.
private final class Receipt: Sendable {
    /// Those that have not.
    private let loops: Atomic<Int>
    private let taken: @Sendable () -> Void

    init(loops: Int, _ taken: @escaping @Sendable () -> Void) {
        self.loops = Atomic(loops)
        self.taken = taken
    }

    func loopCame() {
        if loops.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { taken() }
    }
}
