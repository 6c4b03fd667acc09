import KafkaClient
import Synchronization
import Testing

/// Keeps what producers tell.
final class Events: Sendable {
    private let errors = Mutex<[KafkaError]>([])

    var all: [KafkaError] { errors.withLock { $0 } }

    func append(_ event: KafkaEvent) {
        if case .error(let error) = event { errors.withLock { $0.append(error) } }
    }
}

func messages(_ range: Range<Int>, keys: Int = 100, topic: String = "calls") -> [KafkaMessage] {
    range.map { KafkaMessage(topic: topic, key: Array("key\($0 % keys)".utf8), value: Array("\($0)".utf8)) }
}

/// Checks that a topic holds exactly `0..<count`, each key in one partition and its values ascending.
func expectExactlyOnce(_ stored: [MockKafka.Stored], count: Int) {
    let numbers = stored.compactMap { Int($0.value) }
    let distinct = Set(numbers)
    #expect(numbers.count == count)
    #expect(distinct.count == count && distinct.min() == 0 && distinct.max() == count - 1)
    let reordered = Dictionary(grouping: stored, by: \.key).filter { _, values in
        let own = values.compactMap { Int($0.value) }
        return own != own.sorted() || Set(values.map(\.partition)).count != 1
    }
    #expect(reordered.isEmpty)
}

/// Waits until `condition` holds; false when it does not within a minute.
func eventually(_ condition: () -> Bool) async throws -> Bool {
    for _ in 0..<6_000 {
        if condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return condition()
}

/// Something that happened.
final class Flag: Sendable {
    private let state = Mutex(false)

    var isRaised: Bool { state.withLock { $0 } }

    func raise() { state.withLock { $0 = true } }
}
