internal import ArgumentParser
internal import RegionConfig
internal import Verification

/// `regionsync journals`: what is in a region's Redis.
struct JournalsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journals", abstract: "Lists the journals in one region's Redis, its own and the copies.",
        discussion: """
            FLOOR is the highest ID that retention removed, POSITION how far capture has come. A closed journal is a \
            copy whose history split from its source; it is kept for inspection. CUT is the last entry that counts of a \
            region that was declared down, WITHHELD how many are kept beyond it and in no state.
            """)

    @OptionGroup
    var region: RegionOption

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    func run() async throws {
        let region = try region.load()
        do {
            let server = try await RegionServer.connect(region)
            defer { server.close() }
            let listing = try await JournalListing(of: server)
            if json {
                print(try jsonLine(["journals": listing.journals]))
            } else {
                print(listing.text, terminator: "")
            }
        } catch let error as VerificationError {
            throw failure("\(error)", .unavailable)
        }
    }
}
