import Foundation
import NIOPosix
import RegionConfig

/// The ledger files of a run: one for each region's events, one for provisioning; none where none are wanted.
struct Ledgers: Sendable {
    /// As the regions stand in the settings.
    let voice: [LedgerFile]
    let provisioning: LedgerFile?

    /// `failed` is called when a file cannot be written later. Throws `GeneratorError`.
    init(
        _ settings: GeneratorSettings, threads: NIOThreadPool, failed: @escaping @Sendable (GeneratorError) -> Void
    ) throws(GeneratorError) {
        guard let folder = settings.ledgerFolder else {
            voice = []
            provisioning = nil
            return
        }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw .file(path: folder, problem: "\(error.localizedDescription)")
        }
        func open(_ name: String) throws(GeneratorError) -> LedgerFile {
            try LedgerFile(path: "\(folder)/\(name).ledger", threads: threads, failed: failed)
        }
        provisioning = try open("provisioning")
        var voice: [LedgerFile] = []
        for region in settings.regions { voice.append(try open("voice-\(region.name)")) }
        self.voice = voice
    }

    /// Everything was recorded.
    func close() async {
        for ledger in voice { await ledger.close() }
        await provisioning?.close()
    }
}
