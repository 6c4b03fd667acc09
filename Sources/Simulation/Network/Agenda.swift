/// What happens when: a heap of events by time, those of one time in the order in which they were added.
struct Agenda<Event> {
    private struct Item {
        let time: Int
        let order: Int
        let event: Event

        func precedes(_ other: Item) -> Bool { time == other.time ? order < other.order : time < other.time }
    }

    private var heap: [Item] = []
    private var order = 0

    /// When the next event is due; nil for none.
    var next: Int? { heap.first?.time }

    mutating func add(_ event: Event, at time: Int) {
        order += 1
        heap.append(Item(time: time, order: order, event: event))
        var index = heap.count - 1
        while index > 0, heap[index].precedes(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func take() -> Event? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.event }
        heap[0] = last
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].precedes(heap[least]) {
                least = child
            }
            guard least != index else { return first.event }
            heap.swapAt(index, least)
            index = least
        }
    }
}
