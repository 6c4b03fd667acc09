internal import Crypto
internal import Foundation

/// The part of a SCRAM-SHA-256 verifier that tells a right secret from a wrong one (RFC 5802, section 3; RFC 7677).
///
/// The secret is taken as its bytes are, without SASLprep; for ASCII that is the same.
package struct SCRAMVerifier: Hashable, Sendable {
    /// How often a guess is hashed.
    package let iterations: Int
    private let salt: [UInt8]
    private let storedKey: [UInt8]

    /// Iterations that may be asked for: enough to be slow, too few to be a weapon against the worker.
    private static let iterationRange = 1...1_000_000

    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`, the last three in base64; nil for anything
    /// else.
    package init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "SCRAM-SHA-256" else { return nil }
        let costs = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard costs.count == 2, keys.count == 2,
            let iterations = Int(costs[0]), Self.iterationRange.contains(iterations),
            let salt = Data(base64Encoded: String(costs[1])), !salt.isEmpty,
            let storedKey = Data(base64Encoded: String(keys[0])), storedKey.count == SHA256.Digest.byteCount
        else { return nil }
        self.init(iterations: iterations, salt: Array(salt), storedKey: Array(storedKey))
    }

    private init(iterations: Int, salt: [UInt8], storedKey: [UInt8]) {
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
    }

    /// A verifier that no secret is known for: checking against it takes the time that checking takes.
    package init(ofNobodyWith iterations: Int) {
        self.init(
            iterations: iterations, salt: Array("nobody's own salt".utf8),
            storedKey: Array(repeating: 0, count: SHA256.Digest.byteCount))
    }

    /// Whether `secret` is the one the verifier was made of.
    package func matches(_ secret: [UInt8]) -> Bool {
        let clientKey = Self.code(of: Array("Client Key".utf8), key: saltedSecret(secret))
        return ConstantTime.areEqual(Array(SHA256.hash(data: clientKey)), storedKey)
    }

    /// `Hi(secret, salt, iterations)`, which is PBKDF2 with one block.
    private func saltedSecret(_ secret: [UInt8]) -> [UInt8] {
        // What HMAC does with a key longer than its block, done once: a long secret must not make checking slower.
        let key = secret.count > SHA256.blockByteCount ? Array(SHA256.hash(data: secret)) : secret
        var block = Self.code(of: salt + [0, 0, 0, 1], key: key)
        var result = block
        for _ in 1..<iterations {
            block = Self.code(of: block, key: key)
            for index in result.indices { result[index] ^= block[index] }
        }
        return result
    }

    private static func code(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key)))
    }
}
