internal import ArgumentParser
internal import Foundation
internal import RegionConfig

/// Exit codes: 1, and those of sysexits.h as far as they are used.
enum FailureCode: Int32 {
    case failed = 1
    case usage = 64
    case unavailable = 69
    case badFile = 78
}

/// Says on standard error why the command cannot go on; throw what it gives.
func failure(_ message: String, _ code: FailureCode) -> ExitCode {
    FileHandle.standardError.write(Data("regionsync: \(message)\n".utf8))
    return ExitCode(code.rawValue)
}

/// Reads a region file; a wrong one ends the command with its one error.
func loadRegion(_ path: String) throws -> Region {
    do throws(RegionFileError) {
        return try RegionFile.load(path)
    } catch {
        throw failure("\(error)", .badFile)
    }
}

/// Reads the accounts of a region's ports for their errors alone; a wrong file ends the command with its one error. For
/// who serves the ports: `check` tells of it among all else, and all others do without.
func requireAccounts(of region: Region) throws {
    guard let file = region.listeners.accountsFile else { return }
    do throws(RegionFileError) {
        _ = try AccountFile.load(file)
    } catch {
        throw failure("\(error)", .badFile)
    }
}
