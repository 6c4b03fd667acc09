/// The checksum behind a DUMP payload: CRC-64 by Jones, reflected, without inversion.
enum CRC64 {
    private static let polynomial: UInt64 = 0x95ac_9329_ac4b_c9b5

    /// Eight tables of 256: by them eight bytes are folded at once.
    private static let tables: [UInt64] = {
        var tables = [UInt64](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var crc = UInt64(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ polynomial : crc >> 1 }
            tables[byte] = crc
        }
        for byte in 0..<256 {
            for table in 1..<8 {
                let before = tables[(table - 1) * 256 + byte]
                tables[table * 256 + byte] = before >> 8 ^ tables[Int(before & 0xff)]
            }
        }
        return tables
    }()

    static func of(_ bytes: RawSpan) -> UInt64 {
        unsafe tables.withUnsafeBufferPointer { tables in
            unsafe bytes.withUnsafeBytes { bytes in
                var crc: UInt64 = 0
                var index = 0
                while bytes.count - index >= 8 {
                    crc ^= UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                    var next: UInt64 = 0
                    for table in 0..<8 {
                        next ^= unsafe tables[(7 - table) * 256 + Int(crc >> (8 * UInt64(table)) & 0xff)]
                    }
                    crc = next
                    index += 8
                }
                while index < bytes.count {
                    crc = unsafe crc >> 8 ^ tables[Int((crc ^ UInt64(bytes[index])) & 0xff)]
                    index += 1
                }
                return crc
            }
        }
    }
}
