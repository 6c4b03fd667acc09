internal import Foundation

/// Reads region files.
package enum RegionFile {
    /// Larger files are refused unread.
    static let maximumBytes = 1 << 20

    /// Every key a region file may have, `[]` behind lists: `peers[].redis.port`.
    package static var keyPaths: [String] { Region.shape.paths }

    /// Reads the file at `path`, what it refers to, and the environment's overrides (`REGIONSYNC_REDIS_PORT`). The files of
    /// the ports, accounts and certificates, are left to who serves or checks them.
    package static func load(
        _ path: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(RegionFileError) -> Region {
        let text: String
        do {
            text = try read(path)
        } catch {
            throw RegionFileError(file: path, problem: "cannot read it: \(error.reason)")
        }
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ""
        return try parse(
            text, file: path,
            surroundings: Surroundings(environment: environment, folder: folder) { path in try read(path) })
    }

    /// Reads `text` as a region file that errors call `file`.
    package static func parse(
        _ text: String, file: String, surroundings: Surroundings
    ) throws(RegionFileError) -> Region {
        var document = try RegionDocument(text, file: file)
        try document.check(Region.shape)
        try document.override(by: surroundings.environment, Region.shape)
        var catalog: Catalog?
        if let path = document.scalar("catalogFile") {
            catalog = try parseCatalog(path, named: document, surroundings: surroundings)
        }
        return try document.decode(Region.self, surroundings: surroundings, catalog: catalog)
    }

    private static func parseCatalog(
        _ path: String, named document: RegionDocument, surroundings: Surroundings
    ) throws(RegionFileError) -> Catalog {
        let path = surroundings.resolve(path)
        let text: String
        do {
            text = try surroundings.readFile(path)
        } catch {
            let reason = (error as? UnreadableFile)?.reason ?? "\(error)"
            throw document.error(at: ["catalogFile"], "cannot read \(path): \(reason)")
        }
        let catalogDocument = try RegionDocument(text, file: path)
        try catalogDocument.check(CatalogFile.shape)
        return try catalogDocument.decode(CatalogFile.self, surroundings: surroundings, catalog: nil).catalog
    }

    static func read(_ path: String) throws(UnreadableFile) -> String {
        do {
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? file.close() }
            let data = try file.read(upToCount: maximumBytes + 1) ?? Data()
            guard data.count <= maximumBytes else { throw UnreadableFile(reason: "larger than 1 MiB") }
            guard let text = String(data: data, encoding: .utf8) else { throw UnreadableFile(reason: "not UTF-8") }
            return text
        } catch let error as UnreadableFile {
            throw error
        } catch {
            let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
            guard let underlying, underlying.domain == NSPOSIXErrorDomain else {
                throw UnreadableFile(reason: error.localizedDescription)
            }
            throw UnreadableFile(reason: unsafe String(cString: strerror(Int32(underlying.code))))
        }
    }
}
