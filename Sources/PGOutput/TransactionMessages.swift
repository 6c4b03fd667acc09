// Messages without tuples: seldom beside rows, so they may allocate.
extension PGOutputDecoder {
    static func begin(_ cursor: inout ByteCursor, _ bytes: RawSpan) throws(PGOutputError) -> PGOutputMessage.Begin {
        .init(
            finalLSN: try cursor.lsn(in: bytes), committedAt: try cursor.timestamp(in: bytes),
            xid: try cursor.integer(UInt32.self, in: bytes))
    }

    static func commit(_ cursor: inout ByteCursor, _ bytes: RawSpan) throws(PGOutputError) -> PGOutputMessage.Commit {
        _ = try cursor.byte(in: bytes)  // flags, none defined
        return .init(
            commitLSN: try cursor.lsn(in: bytes), endLSN: try cursor.lsn(in: bytes),
            committedAt: try cursor.timestamp(in: bytes))
    }

    static func origin(_ cursor: inout ByteCursor, _ bytes: RawSpan) throws(PGOutputError) -> PGOutputMessage.Origin {
        .init(commitLSN: try cursor.lsn(in: bytes), name: try cursor.string(in: bytes))
    }

    static func type(_ cursor: inout ByteCursor, _ bytes: RawSpan) throws(PGOutputError) -> PGOutputMessage.TypeName {
        .init(
            oid: try cursor.integer(UInt32.self, in: bytes), namespace: try cursor.string(in: bytes),
            name: try cursor.string(in: bytes))
    }

    static func relation(_ cursor: inout ByteCursor, _ bytes: RawSpan) throws(PGOutputError) -> Relation {
        let id = try cursor.integer(UInt32.self, in: bytes)
        let namespace = try cursor.string(in: bytes)
        let name = try cursor.string(in: bytes)
        let position = cursor.position
        let identityByte = try cursor.byte(in: bytes)
        guard let identity = ReplicaIdentity(rawValue: identityByte) else {
            throw PGOutputError(.unknownReplicaIdentity(identityByte), at: position)
        }
        var columns: [Relation.Column] = []
        for _ in 0..<(try cursor.count(in: bytes)) {
            let flags = try cursor.byte(in: bytes)
            columns.append(
                .init(
                    name: try cursor.string(in: bytes), typeOID: try cursor.integer(UInt32.self, in: bytes),
                    typeModifier: try cursor.integer(Int32.self, in: bytes), isKey: flags & 1 != 0))
        }
        return Relation(id: id, namespace: namespace, name: name, replicaIdentity: identity, columns: columns)
    }

    static func truncate(
        _ cursor: inout ByteCursor, _ bytes: RawSpan
    ) throws(PGOutputError) -> PGOutputMessage.Truncate {
        let position = cursor.position
        let count = try cursor.integer(Int32.self, in: bytes)
        guard count >= 0 else { throw PGOutputError(.negativeLength, at: position) }
        let options = try cursor.byte(in: bytes)
        guard cursor.remaining / 4 >= Int(count) else { throw PGOutputError(.truncated, at: cursor.end) }
        var relations: [UInt32] = []
        for _ in 0..<count { relations.append(try cursor.integer(UInt32.self, in: bytes)) }
        return .init(relations: relations, isCascade: options & 1 != 0, restartsIdentity: options & 2 != 0)
    }

    static func message(
        _ cursor: inout ByteCursor, _ bytes: RawSpan
    ) throws(PGOutputError) -> PGOutputMessage.LogicalMessage {
        let flags = try cursor.byte(in: bytes)
        return .init(
            isTransactional: flags & 1 != 0, lsn: try cursor.lsn(in: bytes),
            prefix: try cursor.terminated(in: bytes), content: try cursor.lengthPrefixed(in: bytes))
    }
}
