import Foundation

/// µs since 1970.
func unixMicroseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1e6) }
