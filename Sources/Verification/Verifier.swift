internal import Connections
internal import Foundation
internal import PostgresClient
internal import Projection
package import RegionConfig
package import Traffic
internal import Worker

/// `regionsync verify`: PostgreSQL against each region's cache, journals against their copies, and, with a ledger, what
/// was produced against what every region holds.
package struct Verifier: Sendable {
    private let regions: [Region]
    private let down: [String]
    private let ledgerFolder: String?
    private let wait: Duration
    private let allowsTrimmed: Bool
    private let repairs: Bool
    private let progress: @Sendable (String) -> Void

    /// A verification of `regions`, not empty; PostgreSQL and the catalog are the first one's. Regions that are `down` are
    /// not looked at, and what went down with them is no difference. `ledgerFolder` holds the producers' ledger files.
    /// `wait` bounds the time that what is under way gets to arrive. With `allowsTrimmed` what the ledger has and retention
    /// removed is no difference. With `repairs` a cache that differs for good is put right, and compared once more.
    package init(
        regions: [Region], down: [String] = [], ledgerFolder: String? = nil, wait: Duration = .seconds(10),
        allowsTrimmed: Bool = false, repairs: Bool = false,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.regions = regions
        self.down = down
        self.ledgerFolder = ledgerFolder
        self.wait = wait
        self.allowsTrimmed = allowsTrimmed
        self.repairs = repairs
        self.progress = progress
    }

    /// Looks. Throws `VerificationError` when it cannot.
    package func run() async throws(VerificationError) -> VerificationReport {
        let known = Set(regions.map(\.name) + regions.flatMap { $0.peers.map(\.region) })
        if let stranger = down.first(where: { !known.contains($0) }) {
            throw .unknownDown(region: stranger, known: known.sorted())
        }
        let given = Set(regions.map(\.name) + down)
        for region in regions {
            let missing = region.peers.map(\.region).filter { !given.contains($0) }
            guard missing.isEmpty else { throw .peersNotGiven(region: region.name, peers: missing) }
        }
        var servers: [RegionServer] = []
        defer { for server in servers { server.close() } }
        for region in regions { servers.append(try await RegionServer.connect(region)) }
        do {
            return try await run(servers)
        } catch let error as VerificationError {
            throw error
        } catch let error as PostgresError {
            throw .postgres(error)
        } catch PublishedTable.Failure.notPublished(let table, let publication) {
            throw .notPublished(table: "\(table)", publication: publication)
        } catch PublishedTable.Failure.unreadableRow(let table) {
            throw .unreadableRow(table: "\(table)")
        } catch {
            throw .ledger("\(error)")
        }
    }

    private func run(_ servers: [RegionServer]) async throws -> VerificationReport {
        let ledger = try ledgerFolder.map { try Self.readLedger($0) }
        let region = regions[0]
        let connection = try await PrimarySearch.connect(region.postgresServers(purpose: "verify")).connection
        var caches: CacheVerification.Result
        var repaired: [CacheRepair.Result] = []
        let verification = CacheVerification(
            catalog: region.catalog, publication: region.postgres.publication, regions: servers, wait: wait,
            progress: progress)
        do {
            caches = try await verification.run(connection)
            if repairs, caches.drift > 0 {
                repaired = try await repair(servers, caches)
                caches = try await verification.run(connection)
            }
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
        let journals = try await JournalVerification(regions: servers, wait: wait, progress: progress).run()
        var produced: LedgerVerification.Result?
        if let ledger {
            produced = try await LedgerVerification(
                ledger, regions: servers, down: down, wait: wait, progress: progress
            ).run()
        }
        return VerificationReport(
            caches: caches, regions: regions.map(\.name), journals: journals, ledger: produced,
            allowsTrimmed: allowsTrimmed, repaired: repaired)
    }

    /// Puts right what differs in each region's cache.
    private func repair(
        _ servers: [RegionServer], _ caches: CacheVerification.Result
    ) async throws -> [CacheRepair.Result] {
        let region = regions[0]
        let source = PostgresRepairSource(
            catalog: region.catalog, publication: region.postgres.publication,
            servers: region.postgresServers(purpose: "repair"))
        var results: [CacheRepair.Result] = []
        do {
            for server in servers {
                let repair = CacheRepair(catalog: region.catalog, region: server, source: source, patience: wait)
                let found = caches.findings.filter { $0.region == server.name }
                let isFlooded = caches.unconfirmed[server.name] != nil
                guard !found.isEmpty || isFlooded else { continue }
                progress("\(server.name): putting right what differs")
                results.append(try await repair.run(found, isFlooded: isFlooded))
            }
            await source.close()
            return results
        } catch let error as StoreFailure {
            await source.close()
            throw VerificationError.repair("\(error)")
        } catch let error as PostgresRepairSource.Failure {
            await source.close()
            throw VerificationError.repair("\(error)")
        } catch {
            await source.close()
            throw error
        }
    }

    /// All ledger files of a folder, in the order of their names.
    package static func readLedger(_ folder: String) throws(VerificationError) -> Ledger {
        var ledger = Ledger()
        guard FileManager.default.fileExists(atPath: folder + "/.") else {
            throw .ledger("there is no folder \(folder)")
        }
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted().filter {
                $0.hasSuffix(".ledger")
            }
            guard !names.isEmpty else { throw VerificationError.ledger("\(folder) holds no file *.ledger") }
            for name in names {
                do {
                    try ledger.read("\(folder)/\(name)")
                } catch {
                    throw VerificationError.ledger("\(name): \(error)")
                }
            }
        } catch let error as VerificationError {
            throw error
        } catch {
            throw .ledger("cannot read \(folder): \(error.localizedDescription)")
        }
        return ledger
    }
}
