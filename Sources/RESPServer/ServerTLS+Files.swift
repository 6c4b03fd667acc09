internal import Glibc
internal import NIOPosix
internal import NIOSSL

/// Why a port cannot use one of its files.
package struct TLSFileFault: Error, Hashable, Sendable {
    /// Its path.
    package let file: String
    /// What is wrong with it, as a sentence goes on behind its name.
    package let problem: String
}

extension TLSFileFault: CustomStringConvertible {
    package var description: String { "\(file) \(problem)" }
}

extension ServerTLS.Files {
    /// Whatever keeps a port from using these files, each looked at by itself; empty where it could. On a thread that may
    /// block.
    package func faults() async -> [TLSFileFault] {
        do {
            return try await NIOThreadPool.singleton.runIfActive { readFaults() }
        } catch {
            return [TLSFileFault(file: certFile, problem: "was not read: \(error)")]
        }
    }

    private func readFaults() -> [TLSFileFault] {
        let own = [fault(of: chain), fault(of: key)].compactMap(\.self)
        let pair = own.isEmpty ? fault(of: makeContextWithoutClients) : nil
        return own + [pair, fault(of: authorities)].compactMap(\.self)
    }

    private func fault<Value>(of read: () throws(TLSFileFault) -> Value) -> TLSFileFault? {
        do throws(TLSFileFault) {
            _ = try read()
            return nil
        } catch {
            return error
        }
    }

    /// What connections are set up with.
    func makeContext() throws(TLSFileFault) -> NIOSSLContext {
        try makeContext(trusting: try authorities())
    }

    private func makeContextWithoutClients() throws(TLSFileFault) -> NIOSSLContext {
        try makeContext(trusting: nil)
    }

    private func makeContext(trusting authorities: [NIOSSLCertificate]?) throws(TLSFileFault) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try chain().map { .certificate($0) }, privateKey: .privateKey(try key()))
        configuration.minimumTLSVersion = .tlsv12
        if let authorities {
            configuration.trustRoots = .certificates(authorities)
            configuration.certificateVerification = .noHostnameVerification
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            throw TLSFileFault(file: keyFile, problem: "is not the key of the certificate in \(certFile)")
        } catch {
            throw TLSFileFault(file: certFile, problem: "cannot be used: \(error)")
        }
    }

    private func chain() throws(TLSFileFault) -> [NIOSSLCertificate] { try Self.certificates(in: certFile) }

    private func authorities() throws(TLSFileFault) -> [NIOSSLCertificate]? {
        guard let clientCAFile else { return nil }
        return try Self.certificates(in: clientCAFile)
    }

    private func key() throws(TLSFileFault) -> NIOSSLPrivateKey {
        try Self.requireReadable(keyFile)
        do {
            return try NIOSSLPrivateKey(file: keyFile, format: .pem)
        } catch {
            throw TLSFileFault(file: keyFile, problem: "holds no key in PEM without a passphrase")
        }
    }

    private static func certificates(in file: String) throws(TLSFileFault) -> [NIOSSLCertificate] {
        try requireReadable(file)
        do {
            return try NIOSSLCertificate.fromPEMFile(file)
        } catch {
            throw TLSFileFault(file: file, problem: "holds something else than certificates in PEM")
        }
    }

    /// The libraries do not say why a file cannot be opened.
    private static func requireReadable(_ file: String) throws(TLSFileFault) {
        guard unsafe access(file, R_OK) != 0 else { return }
        let reason = unsafe String(cString: strerror(errno))
        throw TLSFileFault(file: file, problem: "cannot be read: \(reason)")
    }
}
