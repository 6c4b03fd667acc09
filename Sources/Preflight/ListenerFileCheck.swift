internal import Foundation
internal import NIOPosix
internal import RESPServer
internal import RedisClient
internal import RegionConfig

/// Whether the ports can use the files they are given: accounts, certificates, keys, authorities.
struct ListenerFileCheck: Sendable {
    /// How long before the end of a certificate it is told, as by the alert RegionsyncCertificateEnds, s.
    private static let notice = 14 * 86_400

    private let region: Region
    /// Seconds since 1970.
    private let now: Int

    init(_ region: Region, now: Int = Int(Date().timeIntervalSince1970)) {
        self.region = region
        self.now = now
    }

    func run() async -> [Finding] {
        var findings: [Finding] = []
        if let file = region.listeners.accountsFile { findings.append(await look(atAccounts: file)) }
        for (name, listener) in region.listeners.opened {
            guard let tls = listener.tls else { continue }
            findings += await look(at: tls, named: "listeners.\(name).tls")
        }
        return findings
    }

    private func look(atAccounts file: String) async -> Finding {
        let (place, key) = ("file \(file)", "listeners.accountsFile")
        do {
            let accounts = try await NIOThreadPool.singleton.runIfActive { try AccountFile.load(file).accounts }
            return Finding(.ok, at: place, key, "\(accounts.count) account\(accounts.count == 1 ? "" : "s")")
        } catch {
            return Finding(
                .error, at: place, key, "\(error)",
                .words(
                    "Mend the file; regions/README.md has its keys. No worker starts with it; one that runs keeps what it "
                        + "read before, and reads the file again within a second."))
        }
    }

    /// What a file of a port's TLS holds.
    private enum Content {
        case chain, key, authorities
    }

    private func look(at tls: Region.Listener.TLS, named section: String) async -> [Finding] {
        let faults = await ServerTLS.Files(
            certFile: tls.certFile, keyFile: tls.keyFile, clientCAFile: tls.clientCAFile
        ).faults()
        let files: [(key: String, path: String?, content: Content)] = [
            ("certFile", tls.certFile, .chain), ("keyFile", tls.keyFile, .key),
            ("clientCAFile", tls.clientCAFile, .authorities),
        ]
        var findings: [Finding] = []
        for (key, path, content) in files {
            guard let path else { continue }
            let (severity, statement) = await judgement(of: path, content, faults)
            let remedy = Remedy.words(
                "Put a right one in its place, or name another under \(section).\(key). What takes the place of one that is "
                    + "in use is read within a second.")
            findings.append(
                Finding(
                    severity, at: "file \(path)", "\(section).\(key)", statement, severity == .ok ? nil : remedy))
        }
        return findings
    }

    private func judgement(
        of path: String, _ content: Content, _ faults: [TLSFileFault]
    ) async -> (Finding.Severity, String) {
        if let fault = faults.first(where: { $0.file == path }) { return (.error, fault.problem) }
        if content == .key { return (.ok, faults.isEmpty ? "is the certificate's key" : "holds a key") }
        do throws(RedisError) {
            let validities = try await CertificateFile.validities(of: path)
            return judgement(of: validities, areAllNeeded: content == .chain)
        } catch {
            return (.error, "\(error)")
        }
    }

    private func judgement(
        of validities: [CertificateFile.Validity], areAllNeeded: Bool
    ) -> (Finding.Severity, String) {
        let which = validities.count == 1 ? "" : "holds \(validities.count) certificates, of which one "
        let invalid = validities.compactMap { validity -> String? in
            if validity.notAfter < now { return "ended on \(Self.text(validity.notAfter))" }
            return validity.notBefore > now ? "is not valid before \(Self.text(validity.notBefore))" : nil
        }
        if let first = invalid.first {
            let isUseless = areAllNeeded || invalid.count == validities.count
            return (isUseless ? .error : .warning, which + first)
        }
        let end = validities.reduce(Int.max) { min($0, $1.notAfter) }
        guard end - now < Self.notice else { return (.ok, "valid until \(Self.text(end))") }
        return (.warning, which + "ends on \(Self.text(end))")
    }

    private static func text(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }
}
