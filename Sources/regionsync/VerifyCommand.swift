internal import ArgumentParser
internal import Foundation
internal import RegionConfig
internal import Verification

/// `regionsync verify`: is everything equal everywhere?
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Compares PostgreSQL, the regions' caches and the journals' copies.",
        discussion: """
            Every object of the catalog in PostgreSQL is compared with each region's cache, column by column, with its \
            indexes and digests; every journal with its copies, entry by entry; and, with --ledger, what `regionsync \
            generate` produced with what every region holds. It only reads, but for --repair, and may run while \
            everything is moving: what differs is looked at again until the regions have caught up, or --wait is over. Give the file of each \
            region and its peers, but for those that are --down; PostgreSQL and the catalog are taken from the first.

            With --repair every difference that is proven to be none that is still on its way is put right, one object \
            at a time, in a step that refuses where the object has changed since; the regions' workers must run. Keys of \
            no table of the catalog are left alone. What was put right is printed, and caches are compared once more.

            Exit code: 0 everything is equal, 1 there are differences, 2 it could not look, 64 wrong usage.
            """)

    @OptionGroup
    var regions: RegionsOption

    @Option(help: "The folder of the ledger files that `regionsync generate` wrote.", completion: .directory)
    var ledger: String?

    @Option(help: "How many seconds what is under way gets to arrive.")
    var wait: Double = 10

    @Option(
        help: ArgumentHelp(
            "A region that is down: it is not looked at, and what its peers lack of its last entries is counted apart.",
            valueName: "region"))
    var down: [String] = []

    @Flag(help: "What the ledger has and retention removed since is no difference.")
    var allowTrimmed = false

    @Flag(help: "Put right what differs for good in a cache, and compare once more.")
    var repair = false

    @Flag(help: "Print one JSON object instead of tables.")
    var json = false

    func validate() throws {
        guard wait >= 0, wait <= 86_400 else { throw ValidationError("--wait must be from 0 to 86400 seconds") }
    }

    func run() async throws {
        let regions = try regions.files.map { path in
            do throws(RegionFileError) { return try RegionFile.load(path) } catch { throw unseen("\(error)") }
        }
        guard Set(regions.map(\.name)).count == regions.count else { throw unseen("a region is given twice") }
        let verifier = Verifier(
            regions: regions, down: down, ledgerFolder: ledger, wait: .seconds(wait), allowsTrimmed: allowTrimmed,
            repairs: repair
        ) { line in
            FileHandle.standardError.write(Data("\(line)\n".utf8))
        }
        let report: VerificationReport
        do throws(VerificationError) {
            report = try await verifier.run()
        } catch {
            throw unseen("\(error)")
        }
        print(json ? try jsonLine(report) : report.text, terminator: json ? "\n" : "")
        if !report.ok { throw ExitCode(1) }
    }

    /// Says why there is no answer.
    private func unseen(_ message: String) -> ExitCode {
        FileHandle.standardError.write(Data("regionsync: \(message)\n".utf8))
        return ExitCode(2)
    }
}

/// One line of JSON, keys sorted.
func jsonLine(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
