import Journal
import Mirror
import NIOCore

/// A Redis with one journal or its copy, and what was projected of it there: as the functions of the journal library treat
/// it, in a value. An older value is a server that lost its tail.
struct ModelRedis {
    struct Entry: Hashable {
        let id: EntryID
        /// Never the same twice.
        let value: Int

        var kept: KeptEntry { KeptEntry(id: id, wire: ByteBuffer(integer: value)) }
    }

    struct Stream {
        var entries: [Entry] = []
        var generated = EntryID.zero
        var added: UInt64 = 0

        mutating func add(_ entry: Entry) {
            entries.append(entry)
            generated = entry.id
            added += 1
        }
    }

    struct Meta {
        var birth: String
        var last = EntryID.zero
        var count: UInt64 = 0
        var floor = EntryID.zero
        var missed: [Int: UInt64] = [:]
        var former: Set<String> = []
        var fork: ClosedCopy?
    }

    struct Closed {
        let entries: [Entry]
        let birth: String
        let lost: UInt64
    }

    var stream: Stream?
    var meta: Meta?
    var closed: [Closed] = []
    /// Where the projection stands, and what it has seen.
    var cursor = EntryID.zero
    var projected: [Int] = []

    // MARK: What anyone does

    mutating func write(_ value: Int, clock: UInt64) {
        var written = stream ?? Stream()
        let least = EntryID(first: written.generated.first, second: written.generated.second + 1)
        written.add(Entry(id: max(least, EntryID(first: clock, second: 0)), value: value))
        stream = written
    }

    mutating func trim(_ count: Int) {
        guard let trimmed = stream?.entries.prefix(count), let last = trimmed.last else { return }
        stream?.entries.removeFirst(trimmed.count)
        meta?.floor = last.id
    }

    mutating func project() {
        for entry in stream?.entries ?? [] where entry.id > cursor {
            projected.append(entry.value)
            cursor = entry.id
        }
    }

    // MARK: Questions

    mutating func lineage(cursor: EntryID, peer: Int, copyBirth: String?, fresh: String) -> SourceState {
        let meta = meta ?? Meta(birth: fresh)
        self.meta = meta
        let entries = stream?.entries ?? []
        return SourceState(
            birth: meta.birth, isFormerBirth: copyBirth.map { meta.former.contains($0) } ?? false, floor: meta.floor,
            generated: stream?.generated ?? .zero, added: stream?.added ?? 0,
            found: entries.last { $0.id <= cursor }?.id, passed: passed(cursor, limit: 4), missed: meta.missed[peer],
            digest: (entries.last { $0.id <= cursor }?.value).map { "\($0)" })
    }

    func passed(_ cursor: EntryID, limit: Int) -> UInt64? {
        guard let stream else { return 0 }
        if stream.generated == cursor { return stream.added }
        let behind = stream.entries.count { $0.id > cursor }
        if behind == stream.entries.count { return stream.added - UInt64(behind) }
        return behind <= limit ? stream.added - UInt64(behind) : nil
    }

    mutating func open(birth: String) -> CopyState {
        if stream == nil, meta == nil { meta = Meta(birth: birth) }
        return CopyState(
            birth: meta?.birth, last: meta?.last ?? .zero, count: meta?.count ?? 0,
            length: UInt64(stream?.entries.count ?? 0), generated: stream?.generated ?? .zero,
            floor: meta?.floor ?? .zero, fork: meta?.fork, digest: (stream?.entries.last?.value).map { "\($0)" })
    }

    func newest(through id: EntryID) -> KeptEntry? { stream?.entries.last { $0.id <= id }?.kept }

    // MARK: Guarded steps

    mutating func append(_ entries: [Entry], behind previous: EntryID, birth: String) -> Refusal? {
        guard var meta, meta.birth == birth else { return .fenced }
        guard meta.last == previous else { return .cursor(last: meta.last) }
        guard (stream?.generated ?? .zero) == previous else { return .forked }
        var written = stream ?? Stream()
        for entry in entries { written.add(entry) }
        meta.last = written.generated
        meta.count += UInt64(entries.count)
        (stream, self.meta) = (written, meta)
        return nil
    }

    mutating func heal(_ healing: Healing, _ entries: [Entry]) -> Result<EntryID, Refusal> {
        guard var meta, meta.birth == healing.birth else { return .failure(.fenced) }
        var written = stream ?? Stream()
        guard written.generated == healing.behind else { return .failure(.cursor(last: written.generated)) }
        for entry in entries { written.add(entry) }
        if let raise = healing.raise { written.generated = max(raise, written.generated) }
        written.added += healing.gap
        if let floor = healing.floor { meta.floor = floor }
        if let former = healing.former { meta.former.insert(former) }
        (stream, self.meta) = (written, meta)
        return .success(written.generated)
    }

    mutating func rebear(_ rebirth: Rebirth, fresh: String, peer: Int) -> Result<String, Refusal> {
        guard var meta, meta.birth == rebirth.birth else { return .failure(.fenced) }
        meta.missed[peer] = meta.missed[peer] ?? 0
        if let minimum = rebirth.minimum, (stream?.generated ?? .zero) < minimum {
            if cursor > stream?.generated ?? .zero { cursor = min(cursor, rebirth.common) }
            var raised = stream ?? Stream()
            raised.generated = minimum
            stream = raised
        }
        meta.former.insert(meta.birth)
        meta.birth = fresh
        self.meta = meta
        return .success(meta.birth)
    }

    mutating func adopt(_ adoption: Adoption) -> Refusal? {
        guard var meta, meta.birth == adoption.copyBirth else { return .fenced }
        guard meta.last == adoption.last else { return .cursor(last: meta.last) }
        meta.birth = adoption.birth
        if let count = adoption.count {
            meta.count = count
            cursor = .zero
        }
        self.meta = meta
        return nil
    }

    mutating func fork(_ fork: Fork, birth: String) -> Refusal? {
        guard let meta, meta.birth == fork.copyBirth else { return .fenced }
        guard meta.last == fork.last, meta.floor == fork.floor else { return .cursor(last: meta.last) }
        let entries = stream?.entries ?? []
        var new = Meta(birth: birth)
        let kept = fork.keep == .zero ? [] : entries.filter { $0.id <= fork.keep }
        let dropped = UInt64(entries.count - kept.count)
        if fork.keep == .zero {
            stream = nil
            new.count = fork.count ?? 0
        } else {
            stream = Stream(entries: kept, generated: fork.keep, added: (stream?.added ?? 0) - dropped)
            new.last = fork.keep
            new.floor = meta.floor
            new.count = fork.count ?? meta.count - dropped
        }
        let lost = fork.lost ?? dropped
        closed.append(Closed(entries: entries, birth: meta.birth, lost: lost))
        new.fork = ClosedCopy(number: closed.count, cause: fork.cause, entries: lost, isTold: false)
        self.meta = new
        cursor = min(cursor, fork.common)
        return nil
    }
}
