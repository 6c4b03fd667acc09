/// What libFuzzer calls with an input: its bytes, and how many there are.
package typealias FuzzTest = @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32

/// Fuzzes as the command line says, which libFuzzer reads.
///
/// - Returns: The program's exit status.
package func runFuzzer(
    _ test: FuzzTest, _ argumentCount: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    var argumentCount = argumentCount
    var arguments = arguments
    return runDriver(&argumentCount, &arguments, test)
}

/// The leak check would report Swift's globals: enums with spare bits hide the pointers to them.
@_cdecl("__lsan_is_turned_off")
public func isLeakCheckOff() -> Int32 { 1 }

@_extern(c, "LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32
