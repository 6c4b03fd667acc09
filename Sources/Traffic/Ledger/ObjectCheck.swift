/// Compares the objects that one region's cache holds with what the ledger's transactions left.
package struct ObjectCheck: Sendable {
    /// What was found. All but `matched` and `unknown` must be 0.
    package struct Findings: Hashable, Sendable {
        /// There as they must be, or rightly gone.
        package var matched = 0
        /// Not there.
        package var missing = 0
        /// There with other content.
        package var altered = 0
        /// There although deleted.
        package var leftOver = 0
        /// Either is right, since a COMMIT was not answered.
        package var unknown = 0
        /// Some of those that are wrong, for people.
        package var examples: [ObjectKey] = []

        package init() {}

        /// Objects that are not as they must be.
        package var drift: Int { missing + altered + leftOver }
    }

    private static let examplesKept = 10

    private var expected: [ObjectKey: Ledger.Expectation]
    private var findings = Findings()

    package init(_ ledger: Ledger) { expected = ledger.objects }

    /// The cache holds this object; one that the ledger does not know is passed over.
    package mutating func objectRead(_ name: ObjectKey, digest: UInt64) {
        switch expected.removeValue(forKey: name) {
        case nil: return
        case .present(digest): findings.matched += 1
        case .present:
            findings.altered += 1
            example(name)
        case .deleted:
            findings.leftOver += 1
            example(name)
        case .either: findings.unknown += 1
        }
    }

    /// Everything was read.
    package consuming func finish() -> Findings {
        for (name, expectation) in expected {
            switch expectation {
            case .present:
                findings.missing += 1
                example(name)
            case .deleted: findings.matched += 1
            case .either: findings.unknown += 1
            }
        }
        return findings
    }

    private mutating func example(_ name: ObjectKey) {
        if findings.examples.count < ObjectCheck.examplesKept { findings.examples.append(name) }
    }
}
