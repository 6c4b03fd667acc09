import FuzzDriver
import NIOCore
import RESP

/// libFuzzer's entry: any bytes are requests or a refusal, and the same ones however they are cut. The first byte says how.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRequests(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let first = input.first else { return 0 }
    let bytes = input.dropFirst()
    let whole = decode(bytes, pieces: max(bytes.count, 1))
    let cut = decode(bytes, pieces: 1 + Int(first) % 64)
    precondition(whole.requests == cut.requests && whole.isRefused == cut.isRefused, "it matters how requests are cut")
    return 0
}

/// All requests in `bytes`, which come in pieces of so many bytes, and whether they end in a refusal.
private func decode(_ bytes: ArraySlice<UInt8>, pieces length: Int) -> (requests: [Request], isRefused: Bool) {
    var decoder = RequestDecoder(
        limits: RequestLimits(elements: 16, bulkBytes: 64, queryBytes: 256, isAuthenticated: true))
    var requests: [Request] = []
    var rest = bytes
    while !rest.isEmpty {
        decoder.feed(ByteBuffer(bytes: rest.prefix(length)))
        rest = rest.dropFirst(length)
        do throws(RequestError) {
            while let request = try decoder.next() {
                check(request)
                requests.append(request)
            }
        } catch {
            precondition(error.description.allSatisfy { !$0.isNewline }, "an error is one line")
            return (requests, true)
        }
        precondition(decoder.pendingBytes <= decoder.limits.queryBytes, "more is kept than may be")
    }
    return (requests, false)
}

private func check(_ request: Request) {
    precondition((1...16).contains(request.count) && request[request.count] == nil)
    for index in 0..<request.count {
        let word = request[index]
        precondition(word.map { $0.readableBytes <= 64 } ?? false)
        _ = (request.text(index), request.validText(index), request.isKeyword(index, "MATCH"))
        if let number = request.integer(index) { precondition(request.text(index) == String(number)) }
    }
}

/// What SwiftPM makes the program's `main`.
@_cdecl("FuzzRESP_main")
public func main(
    _ argumentCount: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    runFuzzer(fuzzRequests, argumentCount, arguments)
}
