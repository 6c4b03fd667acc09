internal import NIOPosix
internal import NIOSSL

/// A file with the certificate of a client or server, PEM, and those that vouch for it.
package enum CertificateFile {
    /// Until when all of them are valid, s since 1970.
    ///
    /// - Throws: `.tls` for a file that cannot be read or holds no certificate.
    package static func notAfter(of path: String) async throws(RedisError) -> Int {
        do {
            let times = try await NIOThreadPool.singleton.runIfActive {
                try NIOSSLCertificate.fromPEMFile(path).map { Int($0.notValidAfter) }
            }
            guard let first = times.min() else { throw RedisError.tls(reason: "\(path) holds no certificate") }
            return first
        } catch let error as RedisError {
            throw error
        } catch {
            throw .tls(reason: "\(path): \(error)")
        }
    }
}
