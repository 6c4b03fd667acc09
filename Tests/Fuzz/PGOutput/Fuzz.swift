import FuzzDriver
import PGOutput

/// libFuzzer's entry: any bytes must end in a value or a typed error, and every range that comes out must lie inside.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPGOutput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = [UInt8](UnsafeBufferPointer(start: start, count: count))
    var payloads = [input.indices]
    if case .data(let data)? = try? ReplicationFrame(input.span.bytes, at: input.indices) {
        precondition(data.payload.upperBound <= count)
        payloads.append(data.payload)
    }
    var decoder = PGOutputDecoder()
    for payload in payloads {
        guard let message = try? decoder.decode(input.span.bytes, at: payload) else { continue }
        check(message, decoder.columns, count)
    }
    var row = input
    var copy = CopyTextDecoder()
    if (try? copy.decode(&row, at: row.indices)) != nil { check(columns: copy.columns, count) }
    return 0
}

/// What SwiftPM makes the program's `main`.
@_cdecl("FuzzPGOutput_main")
public func main(
    _ argumentCount: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    runFuzzer(fuzzPGOutput, argumentCount, arguments)
}

private func check(_ message: PGOutputMessage, _ columns: [TupleColumn], _ count: Int) {
    check(columns: columns, count)
    switch message {
    case .insert(let insert): precondition(insert.new == columns.indices)
    case .update(let update): precondition(update.new.upperBound == columns.count)
    case .message(let message):
        precondition(message.prefix.upperBound < message.content.lowerBound && message.content.upperBound == count)
    case .begin, .commit, .origin, .relation, .type, .delete, .truncate: break
    }
}

private func check(columns: [TupleColumn], _ count: Int) {
    for case .text(let range) in columns { precondition(range.upperBound <= count) }
}
