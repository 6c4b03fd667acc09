internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// The certificate a port shows and the authorities of clients it trusts; read again without dropping clients.
package final class ServerTLS: Sendable {
    /// PEM files.
    package struct Files: Hashable, Sendable {
        /// The certificate and those between it and its authority.
        package let certFile: String
        package let keyFile: String
        /// Authorities whose clients are let in, and no others; nil: clients need no certificate.
        package let clientCAFile: String?

        package init(certFile: String, keyFile: String, clientCAFile: String?) {
            self.certFile = certFile
            self.keyFile = keyFile
            self.clientCAFile = clientCAFile
        }
    }

    private let files: Files
    private let context: Mutex<NIOSSLContext>

    /// Reads the files; on a thread that may block.
    ///
    /// - Throws: ``RESPServerError/tls(reason:)``.
    package static func read(_ files: Files) async throws(RESPServerError) -> ServerTLS {
        ServerTLS(files: files, context: try await makeContext(files))
    }

    private init(files: Files, context: NIOSSLContext) {
        self.files = files
        self.context = Mutex(context)
    }

    /// Reads the files again, for connections from now on.
    ///
    /// - Throws: ``RESPServerError/tls(reason:)``; then those read before stay.
    package func reload() async throws(RESPServerError) {
        let fresh = try await Self.makeContext(files)
        context.withLock { $0 = fresh }
    }

    func makeHandler() -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: context.withLock { $0 })
    }

    private static func makeContext(_ files: Files) async throws(RESPServerError) -> NIOSSLContext {
        do {
            return try await NIOThreadPool.singleton.runIfActive { try files.makeContext() }
        } catch {
            throw .tls(reason: String(describing: error))
        }
    }
}
