import VoiceEvents

/// Gives calls their numbers: ConnIDs and UUIDs that no other run of any region gives, counted CallIDs.
struct CallNumbers: Sendable {
    private let server: String
    /// Of server and start time.
    private let prefix: UInt64
    private var count: UInt64 = 0

    init(server: String, startTime: Int64) {
        self.server = server
        var digest = PayloadDigest()
        digest.add(server)
        digest.add(String(startTime))
        prefix = digest.value << 32
    }

    /// A main call.
    mutating func main(_ type: CallType, ani: String? = nil, dnis: String? = nil) -> CallScriptWriter.Call {
        let (connID, uuid) = next()
        return CallScriptWriter.Call(
            connID: connID, uuid: uuid, callID: Int64(count), threadID: "\(server)-\(count)", type: type, ani: ani,
            dnis: dnis)
    }

    /// A call in which somebody on `main` consults somebody else.
    mutating func consult(_ main: CallScriptWriter.Call) -> CallScriptWriter.Call {
        let (connID, uuid) = next()
        return CallScriptWriter.Call(
            connID: connID, uuid: uuid, callID: Int64(count), threadID: main.threadID, type: .consult,
            previousConnID: main.connID)
    }

    private mutating func next() -> (connID: String, uuid: String) {
        count += 1
        let number = prefix | (count & 0xffff_ffff)
        var random = SplitMix64(seed: number)
        let connID = CallNumbers.padded(number, radix: 16, to: 16)
        return (connID, CallNumbers.padded(random.next(), radix: 32, to: 13))
    }

    private static func padded(_ number: UInt64, radix: Int, to length: Int) -> String {
        let digits = String(number, radix: radix)
        return String(repeating: "0", count: max(0, length - digits.count)) + digits
    }
}
