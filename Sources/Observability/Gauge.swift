internal import Synchronization

/// A number that goes up and down. It is nil, and its series absent, until it is known and while it is not.
package final class Gauge: Sendable {
    private static let unknown = Double.nan.bitPattern

    private let bits = Atomic<UInt64>(unknown)

    internal init() {}

    /// Replaces the value; nil or NaN makes it unknown.
    package func set(_ value: Double?) {
        let value = value ?? .nan
        bits.store(value.isNaN ? Self.unknown : value.bitPattern, ordering: .relaxed)
    }

    /// Replaces the value.
    package func set(_ value: some BinaryInteger) { set(Double(value)) }

    /// Replaces the value: 1 for true.
    package func set(_ value: Bool) { set(value ? 1.0 : 0.0) }

    /// Replaces the value, in seconds.
    package func set(_ value: Duration) { set(value.inSeconds) }

    /// Moves the value; from unknown it starts at zero.
    package func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let value = old == Self.unknown ? 0 : Double(bitPattern: old)
            let (exchanged, original) = bits.compareExchange(
                expected: old, desired: (value + amount).bitPattern, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    /// The value, or nil while unknown.
    package var value: Double? {
        let bits = bits.load(ordering: .relaxed)
        return bits == Self.unknown ? nil : Double(bitPattern: bits)
    }
}

extension Duration {
    /// Seconds with their fraction, as metrics carry durations.
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
