import PostgresClient
import Provisioning
import RegionConfig
import Testing

@Suite("Digests: the worker and PostgreSQL agree, whatever stands in the rows")
struct ObjectDigestTests {
    private static let table = CatalogTable(
        table: TableName(schema: "public", name: "Zoo"), type: "zoo", key: ["k", "K2"], tenant: "tenant")

    @Test("Every type as pgoutput prints it; NULL, empty, quotes, separators, all of Unicode")
    func agreement() async throws {
        try await TestDatabase.with { database in
            try await database.connection.query(Self.rows)
            let columns = try await database.texts(
                "SELECT attname FROM pg_attribute WHERE attrelid = '\"Zoo\"'::regclass AND attnum > 0")
            let quoted = columns.map(SQL.identifier)
            let sql = """
                SELECT \(ObjectDigest.sql(key: ["k", "K2"], columns: columns)), \(Bucket.sql(key: ["k", "K2"])),
                    \(ObjectKey.sql(["k", "K2"])), \(quoted.joined(separator: ", "))
                FROM "Zoo"
                """
            var digester = Digester()
            var object = ObjectRow()
            var sums: [String: BucketDigest] = [:]
            let rows = try await database.connection.query(sql)
            #expect(rows.count > 30)
            for row in rows {
                let values = columns.indices.map { row[$0 + 3] }
                let key = ObjectKey.text([values[0] ?? "", values[1] ?? ""])
                #expect(row[2] == key)
                #expect(row[1] == String(Bucket.index(ofKey: key.utf8)))
                let digest = digester.digest(key: key, columns: Array(zip(columns, values)))
                #expect(row[0] == String(digest.value), "\(values)")
                let shuffled = Array(zip(columns, values)).shuffled()
                let bytes = json(shuffled)
                try object.read(bytes.span.bytes)
                #expect(object.digest(key: Array(key.utf8).span.bytes, row: bytes.span.bytes) == digest)
                sums["\(values[2] ?? "")/\(Bucket.index(ofKey: key.utf8, buckets: 4))", default: .init()].insert(digest)
            }
            let buckets = try await database.connection.query(
                ObjectDigest.bucketsSQL(Self.table, columns: columns, buckets: 4))
            #expect(buckets.count == sums.count)
            for bucket in buckets {
                let name = "\(bucket[0] ?? "")/\(bucket[1] ?? "")"
                let count = try #require(bucket[2].flatMap(Int.init))
                let sum = try #require(bucket[3].flatMap(UInt64.init))
                #expect(sums[name] == BucketDigest(count: count, sum: sum), "\(name)")
            }
        }
    }

    @Test("What differs in an object differs in its digest; a column that is NULL is as one that is not there")
    func differences() {
        var digester = Digester()
        let base = digester.digest(key: "1", columns: [("a", "x"), ("b", nil)])
        #expect(digester.digest(key: "1", columns: [("a", "x")]) == base)
        #expect(digester.digest(key: "1", columns: [("b", nil), ("a", "x")]) == base)
        let others: [(String, [(name: String, value: String?)])] = [
            ("2", [("a", "x")]), ("1", [("a", "x"), ("b", "")]), ("1", [("a", nil)]), ("1", [("b", "x")]),
            ("1", [("a", "x1:b0:")]), ("1", [("a", "")]), ("11:a", [("a", "x")]),
        ]
        for (key, columns) in others {
            #expect(digester.digest(key: key, columns: columns) != base)
        }
    }

    @Test("A bucket's digest does not depend on the order in which objects came, and forgets those that went")
    func buckets() {
        var digester = Digester()
        let digests = (0..<100).map { digester.digest(key: "\($0)", columns: []) }
        var forward = BucketDigest()
        var backward = BucketDigest()
        digests.forEach { forward.insert($0) }
        digests.reversed().forEach { backward.insert($0) }
        #expect(forward == backward)
        digests.shuffled().forEach { forward.remove($0) }
        #expect(forward == BucketDigest())
        #expect(BucketDigest(count: 1, sum: .max).sum == 1 << 48 - 1)
    }

    @Test("Keys of several columns cannot be mistaken for one another")
    func keys() {
        #expect(ObjectKey.text(["a,b\\"]) == "a,b\\")
        #expect(ObjectKey.text(["a,b", "c\\"]) == #"a\,b,c\\"#)
        #expect(ObjectKey.text(["a", "b,c\\"]) == #"a,b\,c\\"#)
    }

    private func json(_ row: [(String, String?)]) -> [UInt8] {
        var writer = RowDataWriter()
        let layout = RowLayout(columns: row.map(\.0))
        writer.begin()
        for (index, (_, value)) in row.enumerated() {
            if let value {
                writer.append(index, of: layout, Array(value.utf8).span.bytes)
            } else {
                writer.appendNull(index, of: layout)
            }
        }
        writer.finish()
        return writer.withBytes { bytes in bytes.withUnsafeBytes { Array($0) } }
    }

    private static let rows = #"""
        CREATE TYPE pair AS (a int, b text);
        CREATE TABLE "Zoo" (
            k text, "K2" int, tenant int, flag boolean, padded char(8), "größe" text, "a""b" text, bytes bytea, at timestamptz,
            number numeric, real double precision, list text[], doc jsonb, raw json, twin pair, day date, "Z" text, "_" text
        );
        INSERT INTO "Zoo" VALUES
            ('plain', 1, 1, true, 'ab', 'x', 'y', '\x00ff', '2024-02-29 12:34:56.789+02', 1.50, 0.1, '{a,NULL,"b c"}',
                '{"a": {"b": "c"}}', '{"a" :1}', ROW(NULL, NULL), '2024-02-29', 'z', '_');
        INSERT INTO "Zoo" VALUES ('nulls', 2, 1), ('a,b', 3, 1), ('back\slash', 4, 2), ('', 5, 2);
        INSERT INTO "Zoo" VALUES
            ('empty', 6, 2, false, '', '', '', '', NULL, NULL, 'NaN', '{}', '{}', '""', ROW(1, ''), NULL, '', ''),
            ('quotes', 7, 2, NULL, NULL, '''"\', E'tab\tline\nreturn\r\x01\x7f', NULL, 'infinity', 'NaN', '-0',
                NULL, 'null', NULL, NULL, NULL, NULL, NULL);
        INSERT INTO "Zoo" (k, "K2", tenant, "größe", "Z", "_")
            SELECT 'żółć' || i, i, 3, string_agg(chr(point), '' ORDER BY point), repeat('😀', i), NULL
            FROM generate_series(1, 40) AS i, generate_series(i, 1114111, 41 * 37) AS point
            WHERE point NOT BETWEEN 55296 AND 57343
            GROUP BY i;
        """#
}
