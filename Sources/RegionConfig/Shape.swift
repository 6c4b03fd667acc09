/// The keys that a section of a region file may have, and what stands under each.
///
/// One description serves the check for unknown keys, the names of environment variables and the test that
/// `regions/README.md` explains every key. Values are checked where they are decoded.
struct Shape: Sendable {
    /// What stands under a key.
    indirect enum Content: Sendable {
        case scalar
        /// A list of scalars.
        case scalars
        case section(Shape)
        /// A list of sections. `namedBy` is the key that names an element in environment variables; nil: out of reach.
        case list(Shape, namedBy: String?)
    }

    let contents: [(key: String, content: Content)]

    /// Every case of `Keys` in order, a scalar unless named otherwise.
    init<Keys: CodingKey & CaseIterable & Hashable>(_: Keys.Type, _ others: [Keys: Content] = [:]) {
        contents = Keys.allCases.map { ($0.stringValue, others[$0] ?? .scalar) }
    }

    subscript(key: String) -> Content? {
        contents.first { $0.key == key }?.content
    }

    /// Dotted paths of all keys, `[]` behind lists: `peers[].redis.port`.
    var paths: [String] {
        contents.flatMap { key, content in
            switch content {
            case .scalar, .scalars: [key]
            case .section(let shape): [key] + shape.paths.map { "\(key).\($0)" }
            case .list(let shape, _): [key] + shape.paths.map { "\(key)[].\($0)" }
            }
        }
    }
}

/// A section of a region file: decodes itself and knows its keys.
protocol RegionSection: Decodable, Sendable {
    static var shape: Shape { get }
}
