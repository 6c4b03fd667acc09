import RESP
import RegionConfig
import Testing

@testable import ConfigListener

@Suite("The SQL of writes")
struct RowStatementsTests {
    private func table(
        key: [String], tenant: String = "tenant", _ columns: [WrittenTable.Column]
    ) -> WrittenTable {
        WrittenTable(
            entry: CatalogTable(
                table: TableName(schema: "s", name: "T\"able"), type: "thing", key: key, tenant: tenant,
                omit: ["secret"]), columns: columns)
    }

    private func column(
        _ name: String, _ type: String = "text", _ fill: WrittenTable.Fill = .client
    ) -> WrittenTable.Column {
        WrittenTable.Column(
            name: name, type: type, isRequired: false, fill: fill, maximumLength: nil, isPublished: name != "secret")
    }

    private var things: WrittenTable {
        table(
            key: ["id"],
            [
                column("id", "bigint", .generated), column("tenant", "bigint"), column("note"),
                column("list", "integer[]"),
                column("secret"),
            ])
    }

    private var links: WrittenTable {
        table(key: ["a", "b"], [column("a"), column("b"), column("tenant", "bigint"), column("level")])
    }

    @Test("is bound to the tenant, has values as parameters only, and quotes names")
    func statements() {
        let statements = RowStatements(table: things, tenant: 101)
        #expect(
            statements.update(["7"], [.init("note", "'; DROP"), .init("secret", nil)])
                == WriteStatement(
                    #"UPDATE "s"."T""able" SET "note" = $1, "secret" = $2 WHERE "tenant" = $3 AND "id" = $4"#,
                    ["'; DROP", nil, "101", "7"]))
        #expect(
            statements.insert(nil, [.init("note", "x")])
                == WriteStatement(
                    #"INSERT INTO "s"."T""able" ("tenant", "note") VALUES ($1, $2) RETURNING concat("id")"#,
                    ["101", "x"]))
        #expect(
            statements.delete(["7"])
                == WriteStatement(#"DELETE FROM "s"."T""able" WHERE "tenant" = $1 AND "id" = $2"#, ["101", "7"]))
        let lock = statements.lock(["7"], toDelete: false)
        #expect(lock.sql.hasSuffix(#"WHERE "tenant" = $1 AND "id" = $2 FOR NO KEY UPDATE"#))
        #expect(lock.sql.contains("note") && !lock.sql.contains("secret"))
        #expect(statements.lock(["7"], toDelete: true).sql.hasSuffix(" FOR UPDATE"))
    }

    @Test("takes arrays as JSON, too")
    func arrays() {
        let statements = RowStatements(table: things, tenant: 1)
        #expect(
            statements.probe(.init("list", "[1]"))?.sql
                == "SELECT CAST(CAST(ARRAY(SELECT jsonb_array_elements_text(CAST($1 AS jsonb))) AS integer[]) "
                + "AS integer[])")
        #expect(statements.probe(.init("list", "{1}"))?.sql == "SELECT CAST($1 AS integer[])")
        #expect(statements.probe(.init("note", "[1]"))?.sql == "SELECT CAST($1 AS text)")
        #expect(statements.probe(.init("note", nil)) == nil)
    }

    @Test("knows IDs of several columns, and other tenants' ones for none")
    func keys() {
        let statements = RowStatements(table: links, tenant: 101)
        #expect(statements.key(of: "1,2") == ["1", "2"])
        #expect(statements.key(of: #"1\,5,2"#) == ["1,5", "2"])
        #expect(statements.key(of: "1") == nil && statements.key(of: "1,2,3") == nil)
        #expect(
            statements.insert(["1", "2"], []).sql
                == #"INSERT INTO "s"."T""able" ("tenant", "a", "b") VALUES ($1, $2, $3) RETURNING "#
                + #"replace(replace(concat("a"), '\', '\\'), ',', '\,') || ',' || "#
                + #"replace(replace(concat("b"), '\', '\\'), ',', '\,')"#)
        let tenants = RowStatements(
            table: table(key: ["tenant"], [column("tenant", "bigint", .generated)]), tenant: 101)
        #expect(tenants.key(of: "101") == ["101"] && tenants.key(of: "102") == nil)
        #expect(tenants.insert(nil, []).sql.contains("DEFAULT VALUES"))
    }

    @Test("is made of fields that there are")
    func fields() throws {
        #expect(things.fields(forNew: true) == ["note", "list", "secret"])
        #expect(links.fields(forNew: false) == ["level"] && links.fields(forNew: true) == ["a", "b", "level"])
        #expect(things.generatesKey && !links.generatesKey)
        try things.check([.init("note", nil)], isNew: false)
        try links.check([], isNew: false)
        for (table, name, words) in [
            (things, "nothing", "thing has no field nothing; it has: note, list, secret"),
            (things, "tenant", "tenant: the tenant says what it is"),
            (things, "id", "id: the database says what it is"),
            (links, "a", "a: is part of the ID, which cannot change"),
        ] {
            #expect(throws: ReplyError(words)) { try table.check([.init(name, "1")], isNew: false) }
        }
    }
}
