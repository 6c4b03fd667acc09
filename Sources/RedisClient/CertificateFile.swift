internal import NIOPosix
internal import NIOSSL

/// A file with the certificate of a client or server, PEM, and those that vouch for it; or with authorities.
package enum CertificateFile {
    /// From when until when a certificate is valid, s since 1970.
    package struct Validity: Hashable, Sendable {
        package let notBefore: Int
        package let notAfter: Int
    }

    /// Of all of them, in the order of the file; at least one.
    ///
    /// - Throws: `.tls` for a file that cannot be read or holds no certificate.
    package static func validities(of path: String) async throws(RedisError) -> [Validity] {
        let validities: [Validity]
        do {
            validities = try await NIOThreadPool.singleton.runIfActive {
                try NIOSSLCertificate.fromPEMFile(path).map {
                    Validity(notBefore: Int($0.notValidBefore), notAfter: Int($0.notValidAfter))
                }
            }
        } catch {
            throw .tls(reason: "\(path): \(error)")
        }
        guard !validities.isEmpty else { throw .tls(reason: "\(path) holds no certificate") }
        return validities
    }

    /// Until when all of them are valid, s since 1970.
    ///
    /// - Throws: As `validities`.
    package static func notAfter(of path: String) async throws(RedisError) -> Int {
        try await validities(of: path).reduce(Int.max) { min($0, $1.notAfter) }
    }
}
