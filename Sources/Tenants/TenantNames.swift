internal import RESP

/// The tenants of a region by dbid and by name, byte for byte as PostgreSQL has it.
struct TenantNames: Sendable {
    private struct Named {
        let name: [UInt8]
        let dbid: Int64
    }

    private(set) var dbids: Set<Int64>
    /// By the hash of the name: a request's word is looked up as it stands in the request.
    private var named: [UInt64: [Named]] = [:]

    init(_ tenants: [(dbid: Int64, name: String?)] = []) {
        dbids = Set(tenants.map(\.dbid))
        for tenant in tenants {
            guard let name = tenant.name.map({ Array($0.utf8) }) else { continue }
            named[Self.hash(name), default: []].append(Named(name: name, dbid: tenant.dbid))
        }
    }

    /// These, and of `others` those with a dbid that none of these has.
    func adding(_ others: TenantNames) -> TenantNames {
        var all = self
        all.dbids.formUnion(others.dbids)
        for (hash, named) in others.named {
            all.named[hash, default: []] += named.filter { !dbids.contains($0.dbid) }
        }
        return all
    }

    /// The tenant that the word at `index` of `request` names: by its dbid, written as numbers are, or else by its name.
    /// The dbid need not be known.
    func dbid(in request: Request, at index: Int) -> Int64? {
        if let dbid = request.integer(index) { return dbid }
        return request.withBytes(index) { word in
            guard word.byteCount <= Self.nameBytes else { return nil }
            return named[Self.hash(word)]?.first { Self.isSame($0.name, word) }?.dbid
        }
    }

    /// Longer than any name: 64 characters.
    private static let nameBytes = 256

    /// FNV-1a. Names come from PostgreSQL, not from who asks.
    private static func hash(_ bytes: RawSpan) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in 0..<bytes.byteCount {
            // Safe: the index lies inside the bytes.
            hash = (hash ^ UInt64(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))) &* 0x100_0000_01b3
        }
        return hash
    }

    private static func hash(_ bytes: [UInt8]) -> UInt64 { unsafe hash(bytes.span.bytes) }

    private static func isSame(_ name: [UInt8], _ bytes: RawSpan) -> Bool {
        guard name.count == bytes.byteCount else { return false }
        for (index, byte) in name.enumerated() {
            // Safe: the index lies inside the bytes.
            guard unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self) == byte else { return false }
        }
        return true
    }
}
