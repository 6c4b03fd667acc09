import RegionConfig

/// A small, right region file as lines, and ways to spoil it.
struct RegionFixture {
    var lines = [
        "region: us-east",
        "redis:",
        "  host: redis.east",
        "postgres:",
        "  host: db",
        "  database: d",
        "  user: u",
        "peers:",
        "  - region: eu-west",
        "    redis:",
        "      host: redis.west",
        "catalog:",
        "  - table: public.thing",
        "    key: [id]",
        "    tenant: tenant",
    ]
    var environment: [String: String] = [:]
    var files: [String: String] = [:]

    /// With the line that begins with `line` replaced; several lines may take its place.
    func replacing(_ line: String, with others: String...) -> RegionFixture {
        var copy = self
        copy.lines = lines.flatMap { $0 == line ? others : [$0] }
        return copy
    }

    func adding(_ others: String...) -> RegionFixture {
        var copy = self
        copy.lines += others
        return copy
    }

    func with(environment: [String: String] = [:], files: [String: String] = [:]) -> RegionFixture {
        var copy = self
        copy.environment.merge(environment) { $1 }
        copy.files.merge(files) { $1 }
        return copy
    }

    func read() throws(RegionFileError) -> Region {
        let files = files
        return try RegionFile.parse(
            lines.joined(separator: "\n"), file: "r.yaml",
            surroundings: Surroundings(environment: environment, folder: "/etc/rs") { path in
                guard let text = files[path] else { throw UnreadableFile(reason: "No such file or directory") }
                return text
            })
    }

    /// What the file is refused with, as the operator sees it.
    var refusal: String? {
        do throws(RegionFileError) {
            _ = try read()
            return nil
        } catch {
            return error.description
        }
    }
}
