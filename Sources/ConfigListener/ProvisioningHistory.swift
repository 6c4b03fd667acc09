internal import Journal

/// One look at history: gathers the events that are wanted, those of a transaction together. A value.
struct ProvisioningHistory: Sendable {
    /// Events and their bytes beyond which also one transaction is cut.
    static let eventLimit = 4096
    static let byteLimit = 4 << 20

    let tenant: String
    let type: String?
    /// Events that are wanted.
    let count: Int
    private(set) var events: [ProvisioningEvent] = []
    /// Where to go on: everything up to here was looked at.
    private(set) var place: EntryID
    private(set) var isFull = false
    /// Objects changed that are not named, and nothing stands before that.
    private(set) var isStale = false
    private var byteCount = 0
    /// The events up to the last transaction that is over, and its place.
    private var whole: (events: Int, place: EntryID)

    init(tenant: String, type: String?, count: Int, behind place: EntryID) {
        self.tenant = tenant
        self.type = type
        self.count = count
        self.place = place
        whole = (0, place)
    }

    /// Takes what comes next, until it is full; `end` is up to where that was read.
    mutating func take(_ steps: [ProvisioningReading.Step], upTo end: EntryID) {
        for step in steps where !isFull {
            switch step {
            case .event(let event): take(event)
            case .reload(_, let type): if wants(type) { stop() }
            case .closed(let position):
                place = position.lastEntryID
                whole = (events.count, place)
                isFull = events.count >= count
            case .read, .locate, .end: break
            }
        }
        if !isFull { place = max(place, end) }
    }

    /// There is a gap in the histories.
    mutating func jump(to place: EntryID) { self.place = max(self.place, place) }

    private mutating func take(_ event: ProvisioningEvent) {
        guard event.name.tenant == tenant, type == nil || event.name.type == type else { return }
        if events.count >= count, whole.events > 0 { return cutBack() }
        events.append(event)
        place = event.id
        byteCount += (event.data?.count ?? 0) + 128
        guard events.count >= Self.eventLimit || byteCount >= Self.byteLimit else { return }
        if whole.events > 0 { cutBack() } else { isFull = true }
    }

    /// The transaction that has begun does not fit behind those before it.
    private mutating func cutBack() {
        events.removeLast(events.count - whole.events)
        place = whole.place
        isFull = true
    }

    /// What comes next cannot be told.
    private mutating func stop() {
        isFull = true
        if whole.events > 0 {
            cutBack()
        } else {
            isStale = true
        }
    }

    private func wants(_ type: String?) -> Bool { type == nil || self.type == nil || self.type == type }
}
