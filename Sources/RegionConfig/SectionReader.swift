/// Typed reading of one section; every failure names the key and what was expected under it.
struct SectionReader<Key: CodingKey> {
    private let container: KeyedDecodingContainer<Key>
    private let surroundings: Surroundings

    init(_ decoder: any Decoder, keys: Key.Type) throws {
        container = try decoder.container(keyedBy: keys)
        surroundings = try Surroundings(decoder)
    }

    func contains(_ key: Key) -> Bool { container.contains(key) }

    /// An error at `key`.
    func failure(_ key: Key, _ problem: String) -> DecodingError {
        .dataCorrupted(.init(codingPath: container.codingPath + [key], debugDescription: problem))
    }

    /// An error at an element of the list under `key`.
    func failure(_ key: Key, at index: Int, _ problem: String) -> DecodingError {
        let path: [any CodingKey] = container.codingPath + [key as any CodingKey, ListIndex(index)]
        return .dataCorrupted(.init(codingPath: path, debugDescription: problem))
    }

    // MARK: Scalars

    /// The text under `key`, nil without the key.
    func optionalText(_ key: Key) throws -> String? {
        guard container.contains(key) else { return nil }
        guard try !container.decodeNil(forKey: key) else { throw failure(key, "expected a value, found nothing") }
        let text = try container.decode(String.self, forKey: key)
        guard !text.isEmpty else { throw failure(key, "expected a value, found an empty text") }
        guard !text.utf8.contains(0) else { throw failure(key, "a NUL character is not allowed") }
        return text
    }

    func text(_ key: Key, default fallback: String? = nil) throws -> String {
        if let text = try optionalText(key) ?? fallback { return text }
        throw failure(key, "missing; this key is required")
    }

    /// A name of the given kind.
    func name(_ key: Key, _ kind: NameKind, default fallback: String? = nil) throws -> String {
        let text = try text(key, default: fallback)
        guard kind.matches(text) else { throw failure(key, "expected \(kind.expectation), found \"\(text)\"") }
        return text
    }

    func integer(_ key: Key, in range: ClosedRange<Int>, default fallback: Int? = nil) throws -> Int {
        guard let text = try optionalText(key) else {
            if let fallback { return fallback }
            throw failure(key, "missing; expected an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        guard let number = Int(text), range.contains(number) else {
            let expected = "expected an integer from \(range.lowerBound) to \(range.upperBound)"
            throw failure(key, "\(expected), found \"\(text)\"")
        }
        return number
    }

    func flag(_ key: Key, default fallback: Bool) throws -> Bool {
        switch try optionalText(key) {
        case nil: return fallback
        case "true": return true
        case "false": return false
        case .some(let text): throw failure(key, "expected true or false, found \"\(text)\"")
        }
    }

    func duration(_ key: Key, in range: ClosedRange<Duration>, default fallback: Duration) throws -> Duration {
        guard let text = try optionalText(key) else { return fallback }
        guard let duration = DurationText.parse(text), range.contains(duration) else {
            let bounds = "from \(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
            throw failure(key, "expected a duration such as 500ms, 10s, 10m, 1h or 7d \(bounds), found \"\(text)\"")
        }
        return duration
    }

    func optionalBytes(_ key: Key, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = try optionalText(key) else { return nil }
        guard let bytes = ByteCountText.parse(text), range.contains(bytes) else {
            let bounds = "from \(ByteCountText.format(range.lowerBound)) to \(ByteCountText.format(range.upperBound))"
            throw failure(key, "expected a size such as 65536, 64KiB, 8MiB or 1GiB \(bounds), found \"\(text)\"")
        }
        return bytes
    }

    func bytes(_ key: Key, in range: ClosedRange<Int>, default fallback: Int) throws -> Int {
        try optionalBytes(key, in: range) ?? fallback
    }

    /// One of the cases of `Choice`.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: Key, default fallback: Choice) throws -> Choice
    {
        guard let text = try optionalText(key) else { return fallback }
        guard let choice = Choice(rawValue: text) else {
            let words = Choice.allCases.map(\.rawValue)
            let hint = Suggestion.hint(for: text, among: words)
            throw failure(key, "expected one of \(words.joined(separator: ", ")), found \"\(text)\"\(hint)")
        }
        return choice
    }

    /// A path, made absolute by the region file's folder; nil without the key.
    func path(_ key: Key) throws -> String? {
        try optionalText(key).map(surroundings.resolve)
    }

    /// A command as the list of its words; none without the key. A program that is named by a path is found from the
    /// region file's folder, any other through `PATH`.
    func command(_ key: Key) throws -> [String] {
        guard container.contains(key) else { return [] }
        var words = try texts(key)
        guard let program = words.first, !program.isEmpty else {
            throw failure(key, "expected a command as a list of words, such as [/usr/local/bin/promote, eu-west]")
        }
        guard !words.contains(where: { $0.utf8.contains(0) }) else {
            throw failure(key, "a NUL character is not allowed")
        }
        if program.contains("/") { words[0] = surroundings.resolve(program) }
        return words
    }

    /// The secret named by a pair of keys, of which at most one may stand.
    func secret(file: Key, variable: Key) throws -> Secret? {
        guard let path = try path(file) else {
            guard let name = try optionalText(variable) else { return nil }
            guard let value = surroundings.environment[name], !value.isEmpty else {
                throw failure(variable, "the environment variable \(name) is not set")
            }
            return Secret(value)
        }
        if contains(variable) {
            throw failure(variable, "\(file.stringValue) stands beside it; expected one of the two")
        }
        do {
            let lines = try surroundings.readFile(path).split(separator: "\n", omittingEmptySubsequences: false)
            let first = lines.first.map { $0.hasSuffix("\r") ? $0.dropLast() : $0 } ?? ""
            guard !first.isEmpty else { throw failure(file, "expected a secret on the first line of \(path)") }
            return Secret(String(first))
        } catch let error as UnreadableFile {
            throw failure(file, "cannot read \(path): \(error.reason)")
        }
    }

    // MARK: Sections and lists

    func optionalSection<Section: RegionSection>(_ key: Key) throws -> Section? {
        guard container.contains(key) else { return nil }
        return try container.decode(Section.self, forKey: key)
    }

    func section<Section: RegionSection>(_ key: Key) throws -> Section {
        if let section: Section = try optionalSection(key) { return section }
        throw failure(key, "missing; this section is required")
    }

    /// The sections listed under `key`; none without the key.
    func sections<Section: RegionSection>(_ key: Key) throws -> [Section] {
        guard container.contains(key) else { return [] }
        return try container.decode([Section].self, forKey: key)
    }

    /// The scalars listed under `key`, as text; none without the key.
    func texts(_ key: Key) throws -> [String] {
        guard container.contains(key) else { return [] }
        return try container.decode([String].self, forKey: key)
    }
}

/// The step of a path that leads to an element of a list.
private struct ListIndex: CodingKey {
    let index: Int

    var intValue: Int? { index }
    var stringValue: String { "\(index)" }

    init(_ index: Int) { self.index = index }

    init(intValue: Int) { index = intValue }

    init?(stringValue: String) {
        guard let index = Int(stringValue) else { return nil }
        self.index = index
    }
}
