internal import Crypto
internal import Foundation

/// What a secret is checked against: a hash of it, never the secret.
package enum SecretHash: Hashable, Sendable {
    /// SHA-256 of the secret, as Redis keeps it (`ACL GETUSER`, `#<hex>`). For long random secrets only: guesses are
    /// cheap.
    case sha256([UInt8])
    /// A SCRAM-SHA-256 verifier, as PostgreSQL keeps it (`pg_authid.rolpassword`): each guess costs its iterations.
    case scram(SCRAMVerifier)

    /// Reads `#<64 hexadecimal digits>`, the digits alone, or
    /// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`; nil for anything else.
    package init?(_ text: String) {
        if let verifier = SCRAMVerifier(text) {
            self = .scram(verifier)
        } else if let hash = Self.bytes(ofHex: text.hasPrefix("#") ? text.dropFirst() : text[...]) {
            self = .sha256(hash)
        } else {
            return nil
        }
    }

    /// A hash that no secret is known for.
    static let nobodys = SecretHash.sha256(Array(repeating: 0, count: SHA256.Digest.byteCount))

    /// Whether checking takes milliseconds, which an event loop has not.
    package var isSlow: Bool { iterations != nil }

    /// How often a guess is hashed, where that is what makes it slow.
    var iterations: Int? {
        switch self {
        case .sha256: nil
        case .scram(let verifier): verifier.iterations
        }
    }

    /// Whether `secret` is the one that was hashed; takes the same time whatever its bytes are.
    package func matches(_ secret: [UInt8]) -> Bool {
        switch self {
        case .sha256(let hash): ConstantTime.areEqual(Array(SHA256.hash(data: secret)), hash)
        case .scram(let verifier): verifier.matches(secret)
        }
    }

    private static func bytes(ofHex text: Substring) -> [UInt8]? {
        let digits = text.utf8.compactMap { byte -> UInt8? in
            switch byte {
            case 0x30...0x39: byte - 0x30
            case 0x41...0x46: byte - 0x37
            case 0x61...0x66: byte - 0x57
            default: nil
            }
        }
        guard digits.count == 64, text.utf8.count == 64 else { return nil }
        return stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

extension SecretHash: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<hash>" }
    package var debugDescription: String { "<hash>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

enum ConstantTime {
    /// Whether two hashes are the same; looks at all bytes, so that time does not tell how many of them are.
    static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(left, right) { difference |= one ^ other }
        return difference == 0
    }
}
