/// What a region file may refer to beside itself: the environment, and files (secrets, the catalog).
package struct Surroundings: Sendable {
    /// Variables by name.
    package let environment: [String: String]
    /// Reads a file as text; throws `UnreadableFile`.
    package let readFile: @Sendable (_ path: String) throws -> String
    /// Folder that relative paths start from; empty for the working directory.
    let folder: String

    /// Surroundings of a region file in `folder`.
    package init(
        environment: [String: String], folder: String = "",
        readFile: @escaping @Sendable (_ path: String) throws -> String
    ) {
        self.environment = environment
        self.readFile = readFile
        self.folder = folder
    }

    func resolve(_ path: String) -> String {
        path.hasPrefix("/") || folder.isEmpty ? path : folder + "/" + path
    }
}

/// Why a file could not be read, in words for an operator.
package struct UnreadableFile: Error, Hashable, Sendable {
    /// As the system says it.
    package let reason: String

    /// With the system's words.
    package init(reason: String) {
        self.reason = reason
    }
}

extension Surroundings {
    private static let userInfoKey = CodingUserInfoKey(rawValue: "regionsync.surroundings")
    private static let catalogKey = CodingUserInfoKey(rawValue: "regionsync.catalog")

    /// For `YAMLDecoder`, so that sections can read the secrets they name; `catalog` is what `catalogFile` holds.
    func userInfo(catalog: Catalog?) -> [CodingUserInfoKey: Any] {
        var userInfo: [CodingUserInfoKey: Any] = [:]
        if let key = Self.userInfoKey { userInfo[key] = self }
        if let key = Self.catalogKey { userInfo[key] = catalog }
        return userInfo
    }

    /// The surroundings handed to `decoder`; nothing at all for a decoder of somebody else's.
    init(_ decoder: any Decoder) throws {
        guard let key = Self.userInfoKey, let surroundings = decoder.userInfo[key] as? Surroundings else {
            let problem = "region files are decoded by RegionFile"
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: problem))
        }
        self = surroundings
    }

    /// The catalog of a `catalogFile` handed to `decoder`.
    static func catalog(_ decoder: any Decoder) -> Catalog? {
        catalogKey.flatMap { decoder.userInfo[$0] as? Catalog }
    }
}
