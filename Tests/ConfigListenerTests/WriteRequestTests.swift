import RESP
import Testing

@testable import ConfigListener

@Suite("The words of a write")
struct WriteRequestTests {
    private func put(_ line: String) throws(ReplyError) -> WriteRequest {
        try WriteRequest(put: request("CFG.PUT " + line))
    }

    private func delete(_ line: String) throws(ReplyError) -> WriteRequest {
        try WriteRequest(delete: request("CFG.DEL " + line))
    }

    private func request(_ line: String) -> Request {
        Request(bytes: line.split(separator: " ", omittingEmptySubsequences: false).map { Array($0.utf8) })
    }

    @Test("become a change of fields, values and NULLs; words in a value's place are values")
    func changes() throws {
        #expect(
            try put("101 skill 7 name if NULL note IF 5 ONCE k")
                == WriteRequest(
                    tenant: "101", type: "skill",
                    change: .put(id: "7", fields: [.init("name", "if"), .init("note", nil)]), version: "5", once: "k"))
        #expect(
            try put("Acme skill new name  once k")
                == WriteRequest(
                    tenant: "Acme", type: "skill", change: .put(id: nil, fields: [.init("name", "")]), once: "k"))
        #expect(
            try put("1 person_skill 1,2").change == .put(id: "1,2", fields: []))
        #expect(
            try delete("101 skill 7 ONCE k IF 5")
                == WriteRequest(tenant: "101", type: "skill", change: .delete(id: "7"), version: "5", once: "k"))
    }

    @Test(
        "are refused where they say nothing, or two things",
        arguments: [
            ("101 skill 7 name", "ERR syntax error"), ("101 skill 7 NULL", "ERR syntax error"),
            ("101 skill 7 name a IF", "ERR syntax error"), ("101 skill 7 name a ONCE", "ERR syntax error"),
            ("101 skill 7 IF 1 name a", "ERR syntax error"), ("101 skill 7 IF 1 IF 1", "ERR syntax error"),
            ("101 skill 7 ONCE a ONCE a", "ERR syntax error"),
            ("101 skill 7 name a name b", "ERR field name stands twice"),
            ("101 skill 7 name a NULL name", "ERR field name stands twice"),
            ("101 skill NEW name a IF 1", "ERR IF cannot stand with NEW: there is no version yet"),
            ("101 skill 7 name a\0b", "ERR argument 5 is not text: UTF-8 without NUL"),
            ("101 skill 7 name a ONCE ", "ERR a key of ONCE has 1 to 128 bytes"),
        ])
    func refused(line: String, error: String) {
        #expect(refusal { () throws(ReplyError) in try put(line) } == error)
    }

    @Test("that are no UTF-8, or a ONCE key that is too long, are refused")
    func limits() {
        let bytes = Request(bytes: [[65], [65], [65], [65], [65], [0xff, 0xfe]])
        #expect(
            refusal { () throws(ReplyError) in try WriteRequest(put: bytes) }
                == "ERR argument 5 is not text: UTF-8 without NUL")
        let key = String(repeating: "k", count: 128)
        #expect(refusal { () throws(ReplyError) in try delete("1 skill 7 ONCE \(key)") } == nil)
        #expect(
            refusal { () throws(ReplyError) in try delete("1 skill 7 ONCE \(key)k") }
                == "ERR a key of ONCE has 1 to 128 bytes")
        #expect(refusal { () throws(ReplyError) in try delete("1 skill 7 name x") } == "ERR syntax error")
    }

    @Test("tell two requests apart, however their words are cut")
    func fingerprints() throws {
        let requests = [
            try put("101 skill 7 name a"), try put("101 skill 7 namea "), try put("101 skill 7 NULL name"),
            try put("101 skill 7 name "), try put("101 skill NEW name a"), try put("101 skill 7 name a IF 1"),
            try put("101 skill name IF 1"), try delete("101 skill 7"), try delete("101 skill 7 IF 1"),
        ]
        #expect(Set(requests.map { $0.fingerprint(tenant: 101) }).count == requests.count)
        #expect(requests[0].fingerprint(tenant: 101) != requests[0].fingerprint(tenant: 102))
        let repeated = try put("Acme skill 7 name a ONCE other")
        #expect(repeated.fingerprint(tenant: 101) == requests[0].fingerprint(tenant: 101))
    }

    private func refusal(_ body: () throws(ReplyError) -> WriteRequest) -> String? {
        do throws(ReplyError) {
            _ = try body()
            return nil
        } catch {
            return error.description
        }
    }
}
