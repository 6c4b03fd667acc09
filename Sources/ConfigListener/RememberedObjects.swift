internal import Glibc
internal import RESP

/// Replies to reads of objects, by the words that ask for them; a value without a lock.
///
/// Bounded in bytes: when room is needed a hand goes round over all, and takes the first that was not asked for since it
/// came by (CLOCK). An object that is not there is remembered as well, by its null.
struct RememberedObjects {
    private struct Entry {
        let hash: Int
        let address: ObjectAddress
        /// Nil: the place is free.
        var reply: Reply?
        var byteCount: Int
        /// The next entry with the same remainder, or the next free place; -1 where there is none.
        var next: Int32
        /// Whether it was asked for since the hand came by.
        var isWanted = false
    }

    /// What an entry takes beside its words and its reply's strings: itself, the memory blocks it refers to, its share of
    /// `heads`. An estimate for the allocator of glibc.
    static let overhead = 256
    /// Objects of so many bytes are kept, unless there is hardly any room.
    private static let smallObject = 64 << 10
    private static let nothing: Int32 = -1
    private static let firstHeads = 1024

    /// Bytes that all entries may take.
    let limit: Int
    /// Bytes that one may take: for a larger one many others would go at once, while everybody's reads wait.
    let largest: Int
    /// Bytes that they take.
    private(set) var byteCount = 0
    private(set) var count = 0
    private var entries: [Entry] = []
    /// First entry of each remainder of the hash; as many as a power of two.
    private var heads: [Int32]
    private var free = Self.nothing
    private var hand = 0

    init(limit: Int) {
        self.limit = limit
        largest = max(limit / 64, min(limit / 8, Self.smallObject))
        heads = Array(repeating: Self.nothing, count: Self.firstHeads)
    }

    /// The reply that is remembered for the object; nil where none is.
    mutating func reply(tenant: Int64, type: RawSpan, id: RawSpan) -> Reply? {
        let hash = Self.hash(tenant, type, id)
        var place = heads[remainder(hash)]
        while place >= 0 {
            let index = Int(place)
            if entries[index].hash == hash, entries[index].address.names(tenant, type, id) {
                entries[index].isWanted = true
                return entries[index].reply
            }
            place = entries[index].next
        }
        return nil
    }

    /// Remembers a reply whose strings take `size` bytes, in the place of what was remembered for the object. One that is
    /// larger than `largest` is not kept.
    mutating func insert(_ reply: Reply, size: Int, for address: ObjectAddress) {
        remove(address)
        let bytes = size + address.words.count + Self.overhead
        guard bytes <= largest else { return }
        while byteCount + bytes > limit, count > 0 { evictOne() }
        if count >= heads.count { grow() }
        let hash = Self.hash(address)
        let head = remainder(hash)
        let entry = Entry(hash: hash, address: address, reply: reply, byteCount: bytes, next: heads[head])
        if free >= 0 {
            let place = free
            free = entries[Int(place)].next
            entries[Int(place)] = entry
            heads[head] = place
        } else {
            heads[head] = Int32(truncatingIfNeeded: entries.count)
            entries.append(entry)
        }
        count += 1
        byteCount += bytes
    }

    /// Forgets the object.
    mutating func remove(_ address: ObjectAddress) {
        let hash = Self.hash(address)
        var place = heads[remainder(hash)]
        while place >= 0 {
            let entry = entries[Int(place)]
            if entry.hash == hash, entry.address == address { return remove(at: Int(place)) }
            place = entry.next
        }
    }

    /// Forgets all.
    mutating func removeAll() {
        self = RememberedObjects(limit: limit)
    }
}

extension RememberedObjects {
    private func remainder(_ hash: Int) -> Int { hash & (heads.count - 1) }

    private mutating func evictOne() {
        while count > 0 {
            if hand >= entries.count { hand = 0 }
            let index = hand
            hand += 1
            guard entries[index].reply != nil else { continue }
            if !entries[index].isWanted { return remove(at: index) }
            entries[index].isWanted = false
        }
    }

    private mutating func remove(at index: Int) {
        let head = remainder(entries[index].hash)
        let next = entries[index].next
        if heads[head] == index {
            heads[head] = next
        } else {
            var before = heads[head]
            while before >= 0, entries[Int(before)].next != index { before = entries[Int(before)].next }
            if before >= 0 { entries[Int(before)].next = next }
        }
        count -= 1
        byteCount -= entries[index].byteCount
        entries[index] = Entry(
            hash: 0, address: ObjectAddress(tenant: 0, type: "", id: ""), reply: nil, byteCount: 0, next: free)
        free = Int32(truncatingIfNeeded: index)
    }

    private mutating func grow() {
        heads = Array(repeating: Self.nothing, count: heads.count * 2)
        for index in entries.indices where entries[index].reply != nil {
            let head = remainder(entries[index].hash)
            entries[index].next = heads[head]
            heads[head] = Int32(truncatingIfNeeded: index)
        }
    }

    /// Swift's own hash, whose key is another one in every process: nobody can choose IDs that fall together.
    private static func hash(_ tenant: Int64, _ type: RawSpan, _ id: RawSpan) -> Int {
        var hasher = Hasher()
        hasher.combine(tenant)
        hasher.combine(type.byteCount)
        unsafe type.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        unsafe id.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    private static func hash(_ address: ObjectAddress) -> Int {
        address.withWords { type, id in hash(address.tenant, type, id) }
    }
}

extension ObjectAddress {
    fileprivate func withWords<Result>(_ body: (_ type: RawSpan, _ id: RawSpan) -> Result) -> Result {
        let bytes = unsafe words.span.bytes
        return body(bytes.extracting(0..<typeCount), bytes.extracting(typeCount..<bytes.byteCount))
    }

    fileprivate func names(_ tenant: Int64, _ type: RawSpan, _ id: RawSpan) -> Bool {
        guard self.tenant == tenant, typeCount == type.byteCount, words.count == type.byteCount + id.byteCount else {
            return false
        }
        return withWords { ownType, ownID in
            guard ownType.holdsSameBytes(as: type) else { return false }
            return ownID.holdsSameBytes(as: id)
        }
    }
}

extension RawSpan {
    /// Both have as many bytes.
    fileprivate func holdsSameBytes(as other: RawSpan) -> Bool {
        unsafe withUnsafeBytes { left in
            unsafe other.withUnsafeBytes { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return unsafe memcmp(left, right, byteCount) == 0
            }
        }
    }
}
