import RESP
import RegionConfig
import Testing

@testable import ConfigListener

@Suite("What clients are told where PostgreSQL refuses a write")
struct WriteRefusalTests {
    private static let catalog = Catalog(tables: [
        CatalogTable(
            table: TableName(schema: "provisioning", name: "place"), type: "place", key: ["dbid"],
            tenant: "tenant_dbid"),
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person"), type: "person", key: ["dbid"],
            tenant: "tenant_dbid"),
    ])

    private let schema = WrittenSchema(
        Self.catalog,
        columns: StatementRows(rows: [
            ["provisioning", "place", "dbid", "bigint", "t", "generated", nil, "t"],
            ["provisioning", "place", "tenant_dbid", "bigint", "t", "client", nil, "t"],
            ["provisioning", "place", "name", "text", "t", "client", nil, "t"],
            ["provisioning", "place", "dn_dbids", "bigint[]", "t", "default", nil, "t"],
        ]),
        constraints: StatementRows(rows: [
            ["provisioning", "place", "place_name", "u", "tenant_dbid", nil, nil],
            ["provisioning", "place", "place_name", "u", "name", nil, nil],
            ["provisioning", "place", "place_name_check", "c", "name", nil, nil],
            ["provisioning", "place", "place_tenant", "f", "tenant_dbid", "provisioning", "tenant"],
            ["provisioning", "place_dn", "place_dn_pkey", "u", "dn_dbid", nil, nil],
        ]))

    private func told(
        _ code: String, table: String? = "place", column: String? = nil, constraint: String? = nil,
        toDelete: Bool = false
    ) throws -> String {
        let place = try #require(schema.tables["place"])
        let refusal = DatabaseRefusal(
            code: code, message: "words", schema: table.map { _ in "provisioning" }, table: table, column: column,
            constraint: constraint)
        return schema.reply(to: refusal, toDelete: toDelete, in: place).description
    }

    @Test("a code, and the field, where that is known")
    func fields() throws {
        #expect(
            try told("23505", constraint: "place_name") == "CONFLICT name: another object has this value already")
        #expect(
            try told("23505", table: "place_dn", constraint: "place_dn_pkey")
                == "CONFLICT dn_dbids: another object has this value already")
        #expect(
            try told("23505", constraint: "made_since") == "CONFLICT a value: another object has this value already")
        #expect(try told("23503", constraint: "place_tenant") == "NOTENANT no such tenant")
        #expect(
            try told("23503", table: "place_dn", constraint: "x")
                == "NOTFOUND dn_dbids: names an object that is not there")
        #expect(
            try told("23503", table: "person", constraint: "x", toDelete: true)
                == "CONFLICT person: refers to this place still")
        #expect(
            try told("23503", table: "elsewhere", constraint: "x", toDelete: true)
                == "CONFLICT elsewhere: refers to this place still")
        #expect(try told("23502", column: "name") == "ERR name: must have a value")
        #expect(try told("23514", constraint: "place_name_check") == "ERR name: value not allowed (place_name_check)")
        #expect(try told("23000", column: "name") == "CONFLICT name: cannot change after creation")
    }

    @Test("a code and words, where it is about no field")
    func others() throws {
        let codes = [
            ("40001", "CONFLICT"), ("40P01", "CONFLICT"), ("55P03", "TIMEOUT"), ("57014", "TIMEOUT"),
            ("25006", "UNAVAILABLE"), ("53100", "UNAVAILABLE"), ("57P03", "UNAVAILABLE"), ("08006", "UNAVAILABLE"),
            ("42501", "ERR"), ("22P02", "ERR"), ("P0001", "ERR"), ("", "ERR"),
        ]
        for (code, word) in codes {
            #expect(try told(code, table: nil).hasPrefix("\(word) "), "\(code)")
        }
    }

    @Test("what may be tried again is told apart from what may not")
    func remedies() {
        let refused = { (code: String) in WriteObstacle.database(.refused(DatabaseRefusal(code: code))).remedy }
        #expect(refused("40001") == .repetition && refused("40P01") == .repetition)
        #expect(refused("42703") == .schema && refused("42P01") == .schema)
        #expect(refused("23505") == nil && refused("22P02") == nil)
        #expect(WriteObstacle.database(.lost).remedy == .repetition && WriteObstacle.overtaken.remedy == .repetition)
        #expect(WriteObstacle.outdated(.noObject).remedy == .schema)
        for failure in [DatabaseFailure.outcomeUnknown, .away("x"), .busy] {
            #expect(WriteObstacle.database(failure).remedy == nil)
            #expect(failure.reply.code == "UNAVAILABLE")
        }
    }
}
