internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// A TLS context made from an endpoint's files, and the name to ask the server for.
struct TLSSettings: Sendable {
    private let context: NIOSSLContext
    private let serverName: String?

    /// Reads the files; on a thread that may block.
    ///
    /// - Returns: `nil` for an endpoint without TLS.
    /// - Throws: `.tls` for a file that cannot be read or does not fit.
    static func read(_ endpoint: RedisEndpoint) async throws(RedisError) -> TLSSettings? {
        guard let tls = endpoint.tls else { return nil }
        do {
            return try await NIOThreadPool.singleton.runIfActive {
                TLSSettings(context: try makeContext(tls), serverName: serverName(tls, host: endpoint.host))
            }
        } catch {
            throw .tls(reason: String(describing: error))
        }
    }

    func makeHandler() throws(RedisError) -> NIOSSLClientHandler {
        do {
            return try NIOSSLClientHandler(context: context, serverHostname: serverName)
        } catch {
            throw .tls(reason: String(describing: error))
        }
    }

    private static func makeContext(_ tls: RedisEndpoint.TLS) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let caFile = tls.caFile { configuration.trustRoots = .file(caFile) }
        switch tls.verify {
        case .full: configuration.certificateVerification = .fullVerification
        case .noHostname: configuration.certificateVerification = .noHostnameVerification
        case .none: configuration.certificateVerification = .none
        }
        if let certFile = tls.certFile, let keyFile = tls.keyFile {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certFile).map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: keyFile, format: .pem))
        } else if tls.certFile != nil || tls.keyFile != nil {
            throw RedisError.tls(reason: "certificate and key go together; one of them is missing")
        }
        return try NIOSSLContext(configuration: configuration)
    }

    /// A name for SNI and the certificate's check; an address is checked against the certificate without one.
    private static func serverName(_ tls: RedisEndpoint.TLS, host: String) -> String? {
        if let name = tls.serverName { return name }
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return isAddress ? nil : host
    }
}
