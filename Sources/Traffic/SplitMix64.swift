/// Random numbers by seed, the same on every machine and with every release of the standard library (SplitMix64 by
/// Steele, Lea and Flood; choices are made here and not by the library, whose methods may change; the library's may draw from
/// it where that does not matter).
package struct SplitMix64: RandomNumberGenerator, Hashable, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number in 0..<count, which must be positive.
    package mutating func below(_ count: Int) -> Int {
        precondition(count > 0, "no number is below \(count)")
        return Int(next().multipliedFullWidth(by: UInt64(count)).high)
    }

    package mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[below(elements.count)]
    }

    /// True in `percent` of 100 cases.
    package mutating func chance(percent: Int) -> Bool { below(100) < percent }

    /// The index of one of the weights, each as probable as it is heavy. Their sum must be positive.
    package mutating func weighted(_ weights: [Int]) -> Int {
        var rest = below(weights.reduce(0, +))
        for (index, weight) in weights.enumerated() {
            if rest < weight { return index }
            rest -= weight
        }
        return weights.count - 1
    }
}
