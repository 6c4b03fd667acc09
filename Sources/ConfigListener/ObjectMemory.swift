package import RESP
internal import Synchronization

/// The worker's memory of objects in the local Redis: replies to reads, ready to be sent, until Redis says that the object
/// has changed.
///
/// Every reply comes from a read that Redis was told to watch. `beginFill` comes before that read is sent; what was
/// overtaken by word of a change meanwhile is not kept, as nobody knows which came first.
package final class ObjectMemory: Sendable {
    /// A read that is on its way.
    package struct Fill: Hashable, Sendable {
        fileprivate let address: ObjectAddress
        fileprivate let number: UInt64
    }

    /// What there is of it, for people.
    package struct Usage: Hashable, Sendable {
        package var objects = 0
        package var bytes = 0
        package var limit = 0
        /// Reads that were answered from memory, and that were not.
        package var hits: UInt64 = 0
        package var misses: UInt64 = 0
    }

    fileprivate struct State {
        var objects: RememberedObjects
        /// The numbers of the reads on their way that no change has overtaken.
        var fills: [ObjectAddress: [UInt64]] = [:]
        var lastFill: UInt64 = 0
        /// Begins anywhere: in another process it is another one.
        var life = UInt64.random(in: 0..<1 << 48)
        var hits: UInt64 = 0
        var misses: UInt64 = 0
    }

    private let state: Mutex<State>

    /// Takes `limit` bytes at most, by its own estimate.
    package init(limit: Int) {
        state = Mutex(State(objects: RememberedObjects(limit: limit)))
    }

    /// The reply to a read of this object: its fields, or null; nil where that is not remembered.
    package func reply(tenant: Int64, type: RawSpan, id: RawSpan) -> Reply? {
        state.withLock { state in
            let reply = state.objects.reply(tenant: tenant, type: type, id: id)
            if reply == nil { state.misses &+= 1 } else { state.hits &+= 1 }
            return reply
        }
    }

    /// Another number each time that everything is forgotten: since then anything may have gone from Redis and come back.
    var life: UInt64 { state.withLock { $0.life } }

    package var usage: Usage {
        state.withLock { state in
            Usage(
                objects: state.objects.count, bytes: state.objects.byteCount, limit: state.objects.limit,
                hits: state.hits, misses: state.misses)
        }
    }
}

extension ObjectMemory {
    /// The object is about to be read.
    package func beginFill(of address: ObjectAddress) -> Fill {
        state.withLock { state in
            state.lastFill &+= 1
            state.fills[address, default: []].append(state.lastFill)
            return Fill(address: address, number: state.lastFill)
        }
    }

    /// The read has been answered with `reply`, whose strings take `size` bytes.
    package func finish(_ fill: Fill, with reply: Reply, size: Int) {
        state.withLock { state in
            if state.close(fill) { state.objects.insert(reply, size: size, for: fill.address) }
        }
    }

    /// Nothing came of the read that could be remembered.
    package func abandon(_ fill: Fill) {
        state.withLock { _ = $0.close(fill) }
    }

    /// Redis says that keys have changed.
    package func invalidate(_ invalidation: CacheInvalidation) {
        switch invalidation {
        case .all: forgetAll()
        case .keys(let keys):
            let addresses = keys.compactMap { ObjectAddress(key: $0) }
            guard !addresses.isEmpty else { return }
            state.withLock { state in
                for address in addresses {
                    state.objects.remove(address)
                    state.fills[address] = nil
                }
            }
        }
    }

    /// Everything may have changed; what is on its way as well.
    package func forgetAll() {
        // Freed behind the lock, for which every read waits.
        let forgotten = state.withLock { state in
            defer {
                state.objects.removeAll()
                state.fills.removeAll()
                state.life &+= 1
            }
            return state.objects
        }
        withExtendedLifetime(forgotten) {}
    }
}

extension ObjectMemory.State {
    /// Whether no change has overtaken it.
    fileprivate mutating func close(_ fill: ObjectMemory.Fill) -> Bool {
        guard var open = fills[fill.address], let index = open.firstIndex(of: fill.number) else { return false }
        open.remove(at: index)
        fills[fill.address] = open.isEmpty ? nil : open
        return true
    }
}
