import FuzzDriver
import RegionConfig

/// libFuzzer's entry: the input is a region file; a first line of the form `#!NAME=VALUE` sets an environment variable.
/// Whatever it holds, it is read or refused with an error that names the file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRegionFile(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    var environment = ["FUZZ_SECRET": "canary"]
    if let line = text.split(separator: "\n", maxSplits: 1).first, line.hasPrefix("#!") {
        let parts = line.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 { environment[String(parts[0])] = String(parts[1]) }
    }
    let surroundings = Surroundings(environment: environment, folder: "regions") { path in
        if path.hasSuffix("missing") { throw UnreadableFile(reason: "No such file or directory") }
        return text
    }
    do throws(RegionFileError) {
        let region = try RegionFile.parse(text, file: "fuzz.yaml", surroundings: surroundings)
        precondition(!region.catalog.tables.isEmpty && !region.peers.contains { $0.region == region.name })
        precondition(!"\(region)".contains("canary"), "a secret was printed")
    } catch {
        precondition(!error.problem.isEmpty && !error.description.isEmpty)
    }
    return 0
}

/// What SwiftPM makes the program's `main`.
@_cdecl("FuzzRegionConfig_main")
public func main(
    _ argumentCount: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    runFuzzer(fuzzRegionFile, argumentCount, arguments)
}
