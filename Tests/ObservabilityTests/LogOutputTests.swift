import Foundation
import Logging
import Observability
import Synchronization
import Testing

@Suite("Log lines")
struct LogOutputTests {
    /// Keeps what was written.
    private final class Lines: Sendable {
        private let text = Mutex("")

        func append(_ line: [UInt8]) { text.withLock { $0 += String(decoding: line, as: UTF8.self) } }

        /// Everything but the first field, the time.
        var withoutTime: [String] {
            text.withLock { $0 }.split(separator: "\n").map { line in
                String(line.drop { $0 != " " && $0 != "," }.dropFirst())
            }
        }
    }

    private static func logger(_ format: LogOutput.Format, _ level: Logger.Level = .info) -> (Logger, Lines) {
        let lines = Lines()
        return (LogOutput(format: format, level: level, write: { lines.append($0) }).logger("capture"), lines)
    }

    @Test("logfmt: keys sorted, odd values quoted, one line an event")
    func logfmt() {
        let (logger, lines) = Self.logger(.logfmt)
        logger.with([.region: "us-east"]).info(
            "capture stopped", [.slot: "regionsync", .reason: "slot \"x\"\nis = gone\u{1}", .advice: ""])
        #expect(
            lines.withoutTime == [
                #"level=info logger=capture msg="capture stopped" advice="" reason="slot \"x\"\nis = gone\u0001" "#
                    + "region=us-east slot=regionsync"
            ])
    }

    @Test("JSON lines are JSON")
    func json() throws {
        let (logger, lines) = Self.logger(.json)
        logger.error("cannot connect", [.error: "\"\\\u{0}\u{2028}\tü", .attempt: "\(3)"])
        let line = try #require(lines.withoutTime.first)
        let object = try JSONDecoder().decode([String: String].self, from: Data("{\(line)".utf8))
        #expect(
            object == [
                "level": "error", "logger": "capture", "msg": "cannot connect", "error": "\"\\\u{0}\u{2028}\tü",
                "attempt": "3",
            ])
    }

    @Test("below the level nothing is written and nothing computed")
    func level() {
        let (logger, lines) = Self.logger(.logfmt, .warning)
        func expensive() -> Logger.MetadataValue {
            Issue.record("computed")
            return ""
        }
        logger.info("batch", [.count: expensive()])
        logger.warning("late", [.duration: "2 s"])
        #expect(lines.withoutTime == [#"level=warning logger=capture msg=late duration="2 s""#])
    }

    @Test("nested metadata of libraries becomes dotted keys, long values are cut")
    func nested() throws {
        let (logger, lines) = Self.logger(.logfmt)
        logger.info("x", metadata: ["a b": ["c": "1", "d": ["e": "2"]], "list": ["1", "2"]])
        logger.info("x", [.error: "\(String(repeating: "é", count: 5_000))"])
        #expect(lines.withoutTime[0] == #"level=info logger=capture msg=x a_b.c=1 a_b.d.e=2 list="[\"1\", \"2\"]""#)
        #expect(lines.withoutTime[1].utf8.count < 2_200)
        #expect(lines.withoutTime[1].hasSuffix("é…\""))
    }

    @Test(
        "times are RFC 3339 in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_868_799_000, "2000-02-29T23:59:59.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func timestamps(milliseconds: Int64, text: String) {
        #expect(Timestamp(nanoseconds: milliseconds * 1_000_000).description == text)
    }

    @Test("keys are dotted lower-case words")
    func keys() {
        for key in LogKey.allCases {
            #expect(key.rawValue.allSatisfy { $0 == "." || ($0.isASCII && $0.isLetter) }, "\(key)")
        }
    }
}
