internal import Yams

/// A parsed YAML document of known shape, with the place of every value for error messages.
struct RegionDocument {
    /// A step into the document: a key or the index of a list.
    enum Step: Hashable {
        case key(String)
        case index(Int)
    }

    let file: String
    private(set) var root: Node
    /// Values that came from the environment, and from which variable.
    private(set) var variables: [[Step]: String] = [:]

    init(_ text: String, file: String) throws(RegionFileError) {
        self.file = file
        guard text.utf8.count <= RegionFile.maximumBytes else {
            throw RegionFileError(file: file, problem: "larger than 1 MiB")
        }
        do {
            guard let root = try Yams.compose(yaml: text) else {
                throw RegionFileError(file: file, problem: "expected a mapping of keys, found nothing")
            }
            self.root = root
        } catch let error as RegionFileError {
            throw error
        } catch {
            throw RegionFileError(yaml: error, file: file)
        }
    }

    /// The scalar under a key of the document, if there is one.
    func scalar(_ key: String) -> String? {
        root.mapping?[key]?.string
    }

    mutating func set(_ path: [Step], to value: String, from variable: String) {
        root = root.setting(path[...], to: value)
        variables[path] = variable
    }

    // MARK: Shape

    /// Refuses the first key that `shape` does not know and the first value of another kind than it says.
    func check(_ shape: Shape) throws(RegionFileError) {
        try check(root, .section(shape), at: [])
    }

    private func check(_ node: Node, _ content: Shape.Content, at path: [Step]) throws(RegionFileError) {
        switch (content, node) {
        case (.scalar, .scalar):
            break
        case (.scalars, .sequence(let elements)):
            for (index, element) in elements.enumerated() {
                try check(element, .scalar, at: path + [.index(index)])
            }
        case (.list(let shape, _), .sequence(let elements)):
            for (index, element) in elements.enumerated() {
                try check(element, .section(shape), at: path + [.index(index)])
            }
        case (.section(let shape), .mapping(let mapping)):
            try check(mapping, shape, at: path)
        case (.scalar, _), (.scalars, _), (.list, _), (.section, _):
            throw error(at: path, "expected \(content.expectation), found \(node.kindInWords)")
        }
    }

    private func check(_ mapping: Node.Mapping, _ shape: Shape, at path: [Step]) throws(RegionFileError) {
        for (key, value) in mapping {
            let line = key.mark?.line
            guard case .scalar(let scalar) = key else {
                throw RegionFileError(
                    file: file, line: line, keyPath: Self.text(path), problem: "expected a name as key")
            }
            let keyPath = path + [.key(scalar.string)]
            guard let content = shape[scalar.string] else {
                let hint = Suggestion.hint(for: scalar.string, among: shape.contents.map(\.key))
                throw RegionFileError(
                    file: file, line: line, keyPath: Self.text(keyPath), problem: "unknown key" + hint)
            }
            try check(value, content, at: keyPath)
        }
    }

    // MARK: Decoding

    func decode<Section: RegionSection>(
        _: Section.Type, surroundings: Surroundings, catalog: Catalog?
    ) throws(RegionFileError) -> Section {
        do {
            return try YAMLDecoder().decode(from: root, userInfo: surroundings.userInfo(catalog: catalog))
        } catch let error as DecodingError {
            let (path, problem) = error.placeAndProblem
            throw self.error(at: path, problem)
        } catch {
            throw RegionFileError(yaml: error, file: file)
        }
    }

    /// An error at `path`, or where `path` ends in the document.
    func error(at path: [String], _ problem: String) -> RegionFileError {
        error(at: path.map(Step.key), problem)
    }

    private func error(at path: [Step], _ problem: String) -> RegionFileError {
        let variable = variables[path]
        return RegionFileError(
            file: file, line: variable == nil ? line(of: path) : nil, variable: variable,
            keyPath: Self.text(path), problem: problem)
    }

    /// The line of the last step of `path` that stands in the file.
    private func line(of path: [Step]) -> Int? {
        var node = root
        var line = path.isEmpty ? node.mark?.line : nil
        for step in path {
            switch (step, node) {
            case (.key(let key), .mapping(let mapping)):
                guard let pair = mapping.first(where: { $0.key.string == key }) else { return line }
                line = pair.key.mark?.line ?? line
                node = pair.value
            case (.index(let index), .sequence(let elements)) where elements.indices.contains(index):
                node = elements[index]
                line = node.mark?.line ?? line
            default:
                return line
            }
        }
        return line
    }

    private static func text(_ path: [Step]) -> String {
        path.reduce(into: "") { text, step in
            switch step {
            case .key(let key): text += text.isEmpty ? key : ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
    }
}

extension Shape.Content {
    var expectation: String {
        switch self {
        case .scalar: "a single value"
        case .scalars: "a list of values"
        case .section: "a mapping of keys"
        case .list: "a list of mappings"
        }
    }
}

extension Node {
    /// For "found …".
    fileprivate var kindInWords: String {
        switch self {
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "\"\(scalar.string)\""
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    /// This node with `value` at `path`; mappings on the way are made where they are missing.
    fileprivate func setting(_ path: ArraySlice<RegionDocument.Step>, to value: String) -> Node {
        switch (path.first, self) {
        case (nil, _):
            return .scalar(Scalar(value))
        case (.key(let key), .mapping(var mapping)):
            mapping[Node(key)] = (mapping[Node(key)] ?? .mapping(Mapping([]))).setting(path.dropFirst(), to: value)
            return .mapping(mapping)
        case (.index(let index), .sequence(var elements)) where elements.indices.contains(index):
            elements[index] = elements[index].setting(path.dropFirst(), to: value)
            return .sequence(elements)
        default:
            return self
        }
    }
}

extension DecodingError {
    fileprivate var placeAndProblem: ([RegionDocument.Step], String) {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            (context.steps, context.debugDescription)
        case .keyNotFound(let key, let context):
            (context.steps + [.key(key.stringValue)], "missing; this key is required")
        @unknown default:
            ([], "\(self)")
        }
    }
}

extension DecodingError.Context {
    fileprivate var steps: [RegionDocument.Step] {
        codingPath.map { key in key.intValue.map { .index($0) } ?? .key(key.stringValue) }
    }
}

// MARK: Looking up

extension RegionDocument {
    /// The scalar at `path`, if there is one.
    func scalar(at path: [Step]) -> String? {
        node(at: path)?.string
    }

    /// Index and name of each element of the list at `path`; `key` holds an element's name.
    func names(at path: [Step], key: String) -> [(index: Int, name: String)] {
        guard let elements = node(at: path)?.sequence else { return [] }
        return elements.enumerated().compactMap { index, element in
            element.mapping?[key]?.string.map { (index, $0) }
        }
    }

    private func node(at path: [Step]) -> Node? {
        path.reduce(root) { node, step in
            switch step {
            case .key(let key): node?.mapping?[key]
            case .index(let index): node?.sequence.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            }
        }
    }
}
