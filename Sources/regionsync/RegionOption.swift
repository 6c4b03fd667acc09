internal import ArgumentParser
internal import RegionConfig

/// `--region FILE`, for commands about one region.
struct RegionOption: ParsableArguments {
    @Option(
        name: [.customLong("region"), .customShort("r")],
        help: ArgumentHelp("The region file.", valueName: "file"), completion: .file(extensions: ["yaml"]))
    var file: String

    /// Reads the file; a wrong one ends the command with its one error.
    func load() throws -> Region {
        try loadRegion(file)
    }
}

/// `--region FILE --region FILE…`, for commands about several regions.
struct RegionsOption: ParsableArguments {
    @Option(
        name: [.customLong("region"), .customShort("r")],
        help: ArgumentHelp("A region file; may be given several times.", valueName: "file"),
        completion: .file(extensions: ["yaml"]))
    var files: [String]

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("Missing expected argument '--region <file>'") }
    }

    /// Reads the files; a wrong one, or one of a region that is given already, ends the command with its one error.
    func load() throws -> [(file: String, region: Region)] {
        var given: Set<String> = []
        return try files.map { file in
            let region = try loadRegion(file)
            guard given.insert(region.name).inserted else {
                throw failure("\(file): the region \(region.name) is given twice", .usage)
            }
            return (file, region)
        }
    }
}
