extension RegionDocument {
    private static let prefix = "REGIONSYNC_"

    /// Sets every scalar that a variable of the environment names: `REGIONSYNC_REDIS_PORT` is `redis.port`,
    /// `REGIONSYNC_PEERS_EU_WEST_REDIS_HOST` the host of the peer `eu-west`, `REGIONSYNC_PEERS_EU_WEST_WINDOW_BYTES`
    /// its `windowBytes`.
    ///
    /// A variable that begins with a section's name but names no key in it is refused, unless `passwordEnv` names it.
    mutating func override(by environment: [String: String], _ shape: Shape) throws(RegionFileError) {
        let ours = environment.filter { $0.key.hasPrefix(Self.prefix) }
        guard !ours.isEmpty else { return }
        var paths: [String: [Step]] = [:]
        collect(shape, name: Self.prefix, path: [], into: &paths)
        for (name, value) in ours.sorted(by: { $0.key < $1.key }) {
            if let path = paths[name] { set(path, to: value, from: name) }
        }
        let secrets = Set(paths.values.compactMap { $0.last == .key("passwordEnv") ? scalar(at: $0) : nil })
        let sections = shape.contents.filter(\.content.isSection).map { Self.prefix + Self.variable($0.key) + "_" }
        for name in ours.keys.sorted() where paths[name] == nil && !secrets.contains(name) {
            guard sections.contains(where: name.hasPrefix) else { continue }
            throw RegionFileError(
                file: file, variable: name,
                problem: "no key has this name" + Suggestion.hint(for: name, among: paths.keys.sorted()))
        }
    }

    private func collect(_ shape: Shape, name: String, path: [Step], into paths: inout [String: [Step]]) {
        for (key, content) in shape.contents {
            let name = name + Self.variable(key)
            let path = path + [.key(key)]
            switch content {
            case .scalar:
                paths[name] = path
            case .section(let shape):
                collect(shape, name: name + "_", path: path, into: &paths)
            case .list(let shape, let namedBy?):
                for (index, element) in names(at: path, key: namedBy) {
                    let name = "\(name)_\(Self.variable(element))_"
                    collect(shape, name: name, path: path + [.index(index)], into: &paths)
                }
            case .scalars, .list(_, nil):
                break
            }
        }
    }

    /// `windowBytes` as `WINDOW_BYTES`, `clientCAFile` as `CLIENT_CA_FILE`, `eu-west` as `EU_WEST`.
    static func variable(_ key: String) -> String {
        var text = ""
        let letters = Array(key)
        for (index, letter) in letters.enumerated() {
            let before = index > 0 ? letters[index - 1] : "_"
            let after = index + 1 < letters.count ? letters[index + 1] : "_"
            if letter.isUppercase, before.isLowercase || (before.isUppercase && after.isLowercase) { text += "_" }
            text += letter == "-" || letter == "." ? "_" : letter.uppercased()
        }
        return text
    }
}

extension Shape.Content {
    fileprivate var isSection: Bool {
        switch self {
        case .section, .list(_, .some): true
        case .scalar, .scalars, .list(_, nil): false
        }
    }
}
