internal import NIOCore
internal import RESP
internal import VoiceEvents

/// Words of requests for calls and agents; each is read with the name that an error calls it by.
enum RequestWords {
    /// Bytes that a name, a reason, attached data and a key of `ONCE` may have.
    static let nameBytes = 64
    static let reasonBytes = 256
    static let dataBytes = 64 << 10
    static let onceBytes = 128

    /// A DN, a queue or an agent's ID.
    static func name(_ words: Request, _ place: Int, _ name: String) throws(ReplyError) -> String {
        guard let text = words.validText(place), 1...nameBytes ~= text.utf8.count,
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { throw ReplyError("\(name): expected 1 to \(nameBytes) bytes of UTF-8 without control characters") }
        return text
    }

    /// The ID of a call; front ends give 16 hexadecimal digits.
    static func connID(_ words: Request, _ place: Int, _ name: String) throws(ReplyError) -> String {
        guard let text = words.validText(place), 1...nameBytes ~= text.utf8.count, text.utf8.allSatisfy(isOfConnID)
        else { throw ReplyError("\(name): expected 1 to \(nameBytes) letters, digits or any of - _ . :") }
        return text
    }

    static func digits(_ words: Request, _ place: Int, _ name: String) throws(ReplyError) -> String {
        guard let text = words.validText(place), 1...nameBytes ~= text.utf8.count, text.utf8.allSatisfy(isDTMF)
        else { throw ReplyError("\(name): expected 1 to \(nameBytes) of 0-9, A-D, *, # and , for a pause") }
        return text
    }

    static func json(_ words: Request, _ place: Int, _ name: String) throws(ReplyError) -> String {
        let bytes = words[place].map { Array($0.readableBytesView) } ?? []
        guard bytes.count <= dataBytes else {
            throw ReplyError(code: "LIMIT", message: "\(name): \(dataBytes) bytes at most")
        }
        do throws(VoiceEventError) {
            try JSONObject.check(bytes.span)
        } catch {
            throw ReplyError("\(name): expected a JSON object of at most 32 levels")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func reason(_ words: Request, _ place: Int, _ name: String) throws(ReplyError) -> String {
        guard let text = words.validText(place), 1...reasonBytes ~= text.utf8.count else {
            throw ReplyError("\(name): expected 1 to \(reasonBytes) bytes of UTF-8")
        }
        return text
    }

    static func onceKey(_ words: Request, _ place: Int) throws(ReplyError) -> String {
        guard let text = words.validText(place), 1...onceBytes ~= text.utf8.count else {
            throw ReplyError("ONCE: expected a key of 1 to \(onceBytes) bytes of UTF-8")
        }
        return text
    }

    /// A call's type by number; a consult call is made by a transfer or conference.
    static func callType(_ words: Request, _ place: Int, _ name: String) throws(ReplyError) -> CallType {
        guard let number = words.integer(place), 0...3 ~= number else {
            throw ReplyError("\(name): expected 0 unknown, 1 internal, 2 inbound or 3 outbound")
        }
        return CallType(rawValue: Int(number))
    }

    /// A work mode by number.
    static func workMode(_ words: Request, _ place: Int, _ name: String) throws(ReplyError) -> WorkMode {
        guard let number = words.integer(place), 0...4 ~= number else {
            throw ReplyError(
                "\(name): expected 0 unknown, 1 manual in, 2 auto in, 3 after-call work or 4 auxiliary work")
        }
        return WorkMode(rawValue: Int(number))
    }

    private static func isOfConnID(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }

    private static func isDTMF(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "D"),
            UInt8(ascii: "a")...UInt8(ascii: "d"), UInt8(ascii: "*"), UInt8(ascii: "#"), UInt8(ascii: ","):
            true
        default: false
        }
    }
}
