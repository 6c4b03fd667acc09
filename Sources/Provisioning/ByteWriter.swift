/// Writes bytes one behind the other into memory of a fixed size. More than fits ends the process: who makes one knows how
/// much there will be.
@safe package struct ByteWriter: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer
    /// Bytes written.
    package private(set) var count = 0

    /// Writes from the beginning of `memory`, which must live as long as this does.
    @unsafe package init(_ memory: UnsafeMutableRawBufferPointer) { unsafe self.memory = memory }

    package mutating func write(_ byte: UInt8) {
        unsafe precondition(count < memory.count, "no room is left")
        unsafe memory[count] = byte
        count += 1
    }

    package mutating func write(_ bytes: RawSpan) {
        unsafe precondition(bytes.byteCount <= memory.count - count, "no room is left")
        unsafe bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress, let to = unsafe memory.baseAddress else { return }
            unsafe (to + count).copyMemory(from: from, byteCount: source.count)
        }
        count += bytes.byteCount
    }

    /// Writes a number of a fixed width, its lowest byte first.
    package mutating func write(littleEndian number: some FixedWidthInteger) {
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe write(RawSpan(_unsafeBytes: $0)) }
    }

    /// Writes a number in decimal.
    package mutating func write(decimal number: UInt64) {
        guard number >= 10 else { return write(UInt8(ascii: "0") + UInt8(number)) }
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var first = 20
        var rest = number
        while rest > 0 {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        for index in first..<20 { write(digits[index]) }
    }

    /// Writes over what was written at `offset`.
    package func overwrite(at offset: Int, with bytes: RawSpan) {
        precondition(offset >= 0 && offset + bytes.byteCount <= count, "nothing is there to be overwritten")
        for index in 0..<bytes.byteCount { unsafe memory[offset + index] = bytes.byte(at: index) }
    }

    /// What was written, from `offset` on.
    package func withBytes<Result>(from offset: Int = 0, _ body: (RawSpan) -> Result) -> Result {
        precondition(offset >= 0 && offset <= count, "nothing was written there")
        return unsafe body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[offset..<count])))
    }
}
