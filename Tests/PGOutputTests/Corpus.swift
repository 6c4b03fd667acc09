import Foundation
import PGOutput

/// CopyData payloads as PostgreSQL 15 sent them, one message a file: also what the fuzzer starts from.
enum Corpus {
    static let all: [(name: String, bytes: [UInt8])] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fuzz/PGOutput/corpus")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().compactMap { name in
            (try? Data(contentsOf: folder.appending(path: name))).map { (name, [UInt8]($0)) }
        }
    }()

    static var names: [String] { all.map(\.name) }

    static func bytes(_ name: String) -> [UInt8] { all.first { $0.name == name }?.bytes ?? [] }
}

/// Reads a CopyData payload all the way down.
func decode(_ bytes: [UInt8], at range: Range<Int>? = nil) throws(PGOutputError) -> (PGOutputMessage?, [TupleColumn]) {
    var decoder = PGOutputDecoder()
    let span = bytes.span.bytes
    switch try ReplicationFrame(span, at: range ?? bytes.indices) {
    case .keepalive: return (nil, [])
    case .data(let data): return (try decoder.decode(span, at: data.payload), decoder.columns)
    }
}
