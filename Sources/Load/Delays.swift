internal import Foundation

/// Delays that were measured, one a sample, in nanoseconds.
struct Delays: Sendable {
    private var samples: [Int64] = []

    var count: Int { samples.count }

    mutating func add(_ nanoseconds: Int64) { samples.append(nanoseconds) }

    /// The delay that `share` of the samples do not exceed, in milliseconds; nil without samples.
    func milliseconds(at share: Double) -> Double? { milliseconds(at: [share])[0] }

    var summary: Summary {
        let values = milliseconds(at: [0.5, 0.99, 1])
        return Summary(count: count, p50Ms: values[0], p99Ms: values[1], maxMs: values[2])
    }

    private func milliseconds(at shares: [Double]) -> [Double?] {
        guard !samples.isEmpty else { return shares.map { _ in nil } }
        let sorted = samples.sorted()
        return shares.map { share in
            let rank = Int((share * Double(sorted.count)).rounded(.up)) - 1
            return Double(sorted[min(max(rank, 0), sorted.count - 1)]) / 1e6
        }
    }

    /// What is told of delays; null where there was no sample.
    struct Summary: Encodable, Sendable {
        let count: Int
        let p50Ms: Double?
        let p99Ms: Double?
        let maxMs: Double?
    }
}

/// Prints a result as one line of JSON.
func report(_ result: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    say(String(decoding: try encoder.encode(result), as: UTF8.self))
}

/// Prints a line at once, also into a pipe.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}
