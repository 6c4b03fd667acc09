import FuzzDriver

/// libFuzzer's entry: what a client sends to a port. Whatever it is, each request is answered with one reply, in good RESP.
///
/// The first byte says which port (even: provisioning, odd: voice), the second how the servers behind it are: below 128 they
/// answer what they would, otherwise they fail and answer nonsense in a way of their own.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPorts(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard input.count > 2 else { return 0 }
    let ports = FuzzedPorts.shared
    ports.temper.set(input[1])
    Conversation(Array(input.dropFirst(2)), port: input[0] % 2 == 0 ? ports.config : ports.voice).run()
    return 0
}

/// What SwiftPM makes the program's `main`.
@_cdecl("FuzzPorts_main")
public func main(
    _ argumentCount: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    runFuzzer(fuzzPorts, argumentCount, arguments)
}
