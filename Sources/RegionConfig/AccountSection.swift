internal import Foundation

extension Region {
    /// A client of the RESP ports, as the file of `listeners.accountsFile` says it.
    package struct Account: Hashable, Sendable {
        /// What it may do with the tenants it sees.
        package enum Permission: String, CaseIterable, Hashable, Sendable {
            case read, write, control
        }

        /// What `AUTH` names it by.
        package let name: String
        /// Hashes of secrets, any of which lets in: `#<SHA-256 in hexadecimal>` or `SCRAM-SHA-256$…`.
        package let secretHashes: [String]
        /// Names in a client's certificate that make it this account.
        package let certificateNames: [String]
        /// Dbids of the tenants that exist for it; nil: all.
        package let tenants: Set<Int64>?
        package let permissions: Set<Permission>
        /// Whether it is who has not logged in: the account `default` that nothing but its name is needed for.
        package var isAnonymous: Bool { name == "default" && secretHashes.isEmpty && certificateNames.isEmpty }
    }
}

extension Region.Account: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, secretHashes, certificateNames, tenants, permissions
    }

    static let shape = Shape(
        CodingKeys.self,
        [
            .secretHashes: .scalars, .certificateNames: .scalars, .tenants: .scalars, .permissions: .scalars,
        ])

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        name = try reader.text(.name)
        guard name.utf8.count <= 64, name.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else {
            throw reader.failure(.name, "expected 1 to 64 printable characters of ASCII without spaces")
        }
        secretHashes = try reader.texts(.secretHashes)
        if let index = secretHashes.firstIndex(where: { !Self.isHash($0) }) {
            throw reader.failure(
                .secretHashes, at: index,
                "expected # and the 64 hexadecimal digits of a SHA-256, or SCRAM-SHA-256$iterations:salt$key:key")
        }
        certificateNames = try reader.texts(.certificateNames)
        tenants = try Self.tenants(reader)
        let words = try reader.texts(.permissions)
        permissions = Set(
            try words.enumerated().map { index, word in
                guard let permission = Permission(rawValue: word) else {
                    let words = Permission.allCases.map(\.rawValue)
                    throw reader.failure(
                        .permissions, at: index,
                        "expected \(words.joined(separator: ", ")), found \"\(word)\""
                            + Suggestion.hint(for: word, among: words))
                }
                return permission
            })
        guard !permissions.isEmpty else { throw reader.failure(.permissions, "expected at least one") }
        guard !secretHashes.isEmpty || !certificateNames.isEmpty || isAnonymous else {
            throw reader.failure(.secretHashes, "missing; without it or certificateNames nobody is let in as \(name)")
        }
    }

    private static func tenants(_ reader: SectionReader<CodingKeys>) throws -> Set<Int64>? {
        let words = try reader.texts(.tenants)
        if words == ["all"] { return nil }
        guard !words.isEmpty else { throw reader.failure(.tenants, "expected [all], or a list of dbids") }
        return Set(
            try words.enumerated().map { index, word in
                guard let dbid = Int64(word), dbid > 0 else {
                    throw reader.failure(.tenants, at: index, "expected [all], or dbids, found \"\(word)\"")
                }
                return dbid
            })
    }

    /// Whether `text` has the form of a hash, as who checks secrets reads it: what is refused there must not pass here.
    private static func isHash(_ text: String) -> Bool {
        if text.hasPrefix("SCRAM-SHA-256$") { return isVerifier(text) }
        let digits = text.utf8.dropFirst()
        return text.hasPrefix("#") && digits.count == 64
            && digits.allSatisfy { 0x30...0x39 ~= $0 || 0x41...0x46 ~= $0 || 0x61...0x66 ~= $0 }
    }

    /// Whether `text` is `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`, the last three in base64.
    private static func isVerifier(_ text: String) -> Bool {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return false }
        let costs = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard costs.count == 2, keys.count == 2, let iterations = Int(costs[0]), 1...1_000_000 ~= iterations,
            let salt = Data(base64Encoded: String(costs[1])), let key = Data(base64Encoded: String(keys[0]))
        else { return false }
        return !salt.isEmpty && key.count == 32
    }
}

/// The file that `listeners.accountsFile` names: nothing but a list `accounts`.
package struct AccountFile: Hashable, Sendable {
    /// Names are unique; so are certificate names.
    package let accounts: [Region.Account]

    /// Reads the file at `path`.
    package static func load(_ path: String) throws(RegionFileError) -> AccountFile {
        let surroundings = Surroundings(environment: [:]) { try RegionFile.read($0) }
        return try parse(path, surroundings: surroundings)
    }

    static func parse(_ path: String, surroundings: Surroundings) throws(RegionFileError) -> AccountFile {
        let text: String
        do {
            text = try surroundings.readFile(path)
        } catch {
            let reason = (error as? UnreadableFile)?.reason ?? "\(error)"
            throw RegionFileError(file: path, problem: "cannot read it: \(reason)")
        }
        let document = try RegionDocument(text, file: path)
        try document.check(shape)
        return try document.decode(AccountFile.self, surroundings: surroundings, catalog: nil)
    }
}

extension AccountFile: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case accounts
    }

    static let shape = Shape(CodingKeys.self, [.accounts: .list(Region.Account.shape, namedBy: nil)])

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        accounts = try reader.sections(.accounts)
        guard !accounts.isEmpty else { throw reader.failure(.accounts, "expected at least one account") }
        if let index = firstRepetition(in: accounts.map(\.name)) {
            throw reader.failure(.accounts, at: index, "\(accounts[index].name) stands twice")
        }
        if let twice = firstRepeated(accounts.flatMap(\.certificateNames)) {
            throw reader.failure(.accounts, "the certificate name \(twice) stands twice")
        }
    }
}
