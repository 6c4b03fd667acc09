internal import Journal

extension ProvisioningFold {
    /// The journal whose next entry has the lowest position; only that of the transaction being applied in chunks.
    func nextSource() -> Int? {
        if let chunked { return index(of: chunked.journal).flatMap { sources[$0].isDrained ? nil : $0 } }
        var lowest: (index: Int, position: Position)?
        for (index, source) in sources.enumerated() {
            guard let head = source.head, lowest.map({ head < $0.position }) ?? true else { continue }
            lowest = (index, head)
        }
        return lowest?.index
    }

    /// Folds the next entry of a journal.
    mutating func fold(_ index: Int) {
        if chunked != nil, let open = sources[index].open, let head = sources[index].head, head != open.position {
            return cutChunks(index)
        }
        guard let entry = sources[index].take() else { return }
        let position = Position(number: entry.id.first)
        guard chunked == nil else { return foldChunked(entry, index) }
        if let open = sources[index].open, open.position != position {
            counts.abandoned += 1
            sources[index].open = nil
        }
        guard position > folded else {
            // What a region that died brings along when it returns is of an older history, and was told to be void.
            if entry.id.second == 1, position.history == folded.history {
                if sources[index].isFirstSight { counts.late += 1 }
                inexactness.insert(.late, at: entry.id)
            }
            return
        }
        var open = sources[index].open ?? JournalSource.Open(position: position)
        sources[index].open = nil  // or the array would be copied
        let closing = add(entry, to: &open, index)
        if let closing {
            close(open, closing, index)
        } else {
            let isLarge = open.changes.count > limits.wholeObjects || open.byteCount > limits.heldBytes
            sources[index].open = open
            if isLarge { closeOrPark(index) }
        }
    }

    /// Adds an entry to its transaction; answers how the transaction closes, when it does.
    private mutating func add(
        _ entry: JournalEntry, to open: inout JournalSource.Open, _ index: Int
    ) -> ProvisioningEntry.Closing? {
        do throws(ProvisioningEntry.Unreadable) {
            switch try ProvisioningEntry(entry) {
            case .commit(let closing), .endSnapshot(let closing): return closing
            case .put(let name, let data), .insert(let name, let data): open.add(.put(name, data: data))
            case .patch(let name, let data): open.add(.patch(name, data: data, in: entry))
            case .delete(let name): open.add(.delete(name))
            case .truncate(let type):
                open.add(.truncate(type: type))
                open.needsChunks = true
            case .beginSnapshot(let snapshot):
                open.needsChunks = open.needsChunks || snapshot == .whole
                open.snapshot = snapshot
            }
        } catch {
            if sources[index].isFirstSight {
                counts.unreadable += 1
                firstUnreadable = firstUnreadable ?? PassedOver(journal: sources[index].journal, entry: entry.id)
            }
            inexactness.insert(.unreadable, at: entry.id)
        }
        open.entries += 1
        return nil
    }

    /// A transaction is whole, and all of it is in memory.
    private mutating func close(_ open: JournalSource.Open, _ closing: ProvisioningEntry.Closing, _ index: Int) {
        if open.needsChunks {
            chunked = ChunkedRun(journal: sources[index].journal, position: open.position, snapshot: open.snapshot)
            sources[index].open = open
            addChunks(index)
            finishChunks(open, closing, index)
            sources[index].open = nil
            return
        }
        checkCount(open, closing, index)
        work.append(
            .whole(
                WholeTransaction(
                    position: open.position, changes: open.changes, time: closing.time, snapshot: open.snapshot)))
    }

    /// A transaction is too large to be held. If its closing entry is at hand it is applied in chunks, else parked.
    private mutating func closeOrPark(_ index: Int) {
        switch sources[index].closesOpen() {
        case true: beginChunks(index)
        case false: break  // abandoned with its next entry
        case nil:
            guard let position = sources[index].open?.position else { return }
            sources[index].park()
            ready.append(.locate(sources[index].journal, position))
        }
    }

    /// A transaction's closing entry has been seen: what was held of it is applied, then the rest as it is read.
    mutating func beginChunks(_ index: Int) {
        guard let open = sources[index].open else { return }
        chunked = ChunkedRun(journal: sources[index].journal, position: open.position, snapshot: open.snapshot)
        addChunks(index)
    }

    private mutating func foldChunked(_ entry: JournalEntry, _ index: Int) {
        guard var open = sources[index].open else { return }
        sources[index].open = nil
        let closing = add(entry, to: &open, index)
        chunked?.snapshot = open.snapshot
        let isFull =
            open.changes.count >= limits.chunkObjects || open.byteCount >= limits.callBytes
            || open.changes.last.map(\.isTruncate) == true
        sources[index].open = open
        if closing != nil || isFull { addChunks(index) }
        guard let closing else { return }
        finishChunks(sources[index].open ?? open, closing, index)
        sources[index].open = nil
    }

    /// The rest of the transaction that is being applied left the journal, its closing entry included: what was there of it
    /// stays, and the journal goes on.
    private mutating func cutChunks(_ index: Int) {
        addChunks(index)
        countIncomplete(index)
        work.append(.finish(time: nil))
        sources[index].open = nil
    }

    /// Moves what is held of the open transaction into chunks.
    private mutating func addChunks(_ index: Int) {
        guard var open = sources[index].open else { return }
        sources[index].open = nil
        var chunk: [ProvisioningChange] = []
        for change in open.changes {
            if case .truncate(let type) = change {
                addChunk(&chunk)
                work.append(.clear(types: [type], below: nil))
                continue
            }
            chunk.append(change)
            if chunk.count >= limits.chunkObjects { addChunk(&chunk) }
        }
        addChunk(&chunk)
        open.changes.removeAll(keepingCapacity: true)
        open.byteCount = 0
        sources[index].open = open
    }

    private mutating func addChunk(_ chunk: inout [ProvisioningChange]) {
        guard !chunk.isEmpty else { return }
        work.append(.chunk(chunk, isResolved: false))
        chunk = []
    }

    private mutating func finishChunks(
        _ open: JournalSource.Open, _ closing: ProvisioningEntry.Closing, _ index: Int
    ) {
        checkCount(open, closing, index)
        if open.snapshot == .whole {
            work.append(.clear(types: layouts.types, below: open.position))
        }
        work.append(.finish(time: closing.time))
    }

    private mutating func checkCount(
        _ open: JournalSource.Open, _ closing: ProvisioningEntry.Closing, _ index: Int
    ) {
        if open.entries != closing.count { countIncomplete(index) }
    }

    /// Entries are missing of the transaction whose last entry was taken last.
    private mutating func countIncomplete(_ index: Int) {
        if sources[index].isFirstSight { counts.incomplete += 1 }
        inexactness.insert(.incomplete, at: sources[index].taken)
    }
}

extension JournalSource.Open {
    fileprivate mutating func add(_ change: ProvisioningChange) {
        changes.append(change)
        byteCount += change.byteCount
    }
}

extension ProvisioningChange {
    fileprivate var isTruncate: Bool { if case .truncate = self { true } else { false } }
}
