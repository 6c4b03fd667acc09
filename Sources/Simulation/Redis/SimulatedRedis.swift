internal import Journal
internal import NIOCore
package import Projection
package import RESP

/// A Redis server as a value: the commands and functions that the worker uses, as the server treats them. An older value
/// is a server that lost its tail.
///
/// A test sends the same commands to this and to a real server, so that they cannot drift apart.
package struct SimulatedRedis: Sendable {
    package enum Value: Hashable, Sendable {
        case string(String)
        case hash([String: String])
        case set(Set<String>)
        case stream(SimulatedStream)
    }

    /// What the server refuses.
    package enum Mood: Hashable, Sendable, CaseIterable {
        case writable
        /// It is a replica: READONLY.
        case readOnly
        /// It has no memory to spare: OOM.
        case full
    }

    /// A key that does not exist has no value; no hash or set is empty.
    package internal(set) var values: [String: Value] = [:]
    package var mood = Mood.writable
    /// The server's clock, ms since 1970.
    package var clock: UInt64 = 0
    /// Another one with each start of the process.
    package var runID = 0
    /// Function calls by name, and with `refused` before it those that the functions refused.
    package private(set) var tally: [String: Int] = [:]
    /// Commands that may have written, so far.
    private(set) var writes = 0

    package init() {}

    /// Carries out one command. Throws the server's error reply.
    package mutating func run(_ command: RedisCommand) throws(StoreFailure) -> StoreReply {
        let words = CommandWords(command)
        let name = words[0]
        if name == "FCALL" || name == "FCALL_RO" {
            let call = FunctionCall(words)
            try admit(isWrite: !call.isReadOnly, needsMemory: call.needsMemory)
            do throws(StoreFailure) {
                let reply = try self.call(call)
                tally[call.name, default: 0] += 1
                return reply
            } catch {
                tally["refused \(call.name)", default: 0] += 1
                throw error
            }
        }
        guard let plain = Plain(rawValue: name) else {
            throw .server(code: "ERR", message: "unknown command '\(name)'")
        }
        try admit(isWrite: plain.isWrite, needsMemory: plain.needsMemory)
        return try run(plain, words)
    }

    /// A command's words as text.
    package static func words(of command: RedisCommand) -> [String] {
        let words = CommandWords(command)
        return (0..<words.count).map { words[$0] }
    }

    private mutating func admit(isWrite: Bool, needsMemory: Bool) throws(StoreFailure) {
        if mood == .readOnly, isWrite {
            throw .server(code: "READONLY", message: "You can't write against a read only replica.")
        }
        if mood == .full, needsMemory {
            throw .server(code: "OOM", message: "command not allowed when used memory > 'maxmemory'.")
        }
        if isWrite { writes += 1 }
    }

    private mutating func call(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        if let function = JournalFunction(rawValue: call.name) { return try run(function, call) }
        if let function = LineageFunction(rawValue: call.name) { return try run(function, call) }
        if let function = ProjectionFunction(rawValue: call.name) { return try run(function, call) }
        throw .server(code: "ERR", message: "Function not found")
    }
}

/// A function call's keys and arguments.
struct FunctionCall {
    let name: String
    let isReadOnly: Bool
    /// Refused by a server without memory.
    let needsMemory: Bool
    private let words: CommandWords
    private let keyCount: Int

    private static let readOnly: Set = ["rsj3_passed", "rsp2_older"]
    private static let frugal: Set = ["rsj3_lineage", "rsj3_trim", "rsj3_behead", "rsj3_note"]

    init(_ words: CommandWords) {
        self.words = words
        name = words[1]
        keyCount = Int(words[2]) ?? 0
        isReadOnly = Self.readOnly.contains(name)
        needsMemory = !isReadOnly && !Self.frugal.contains(name)
    }

    func key(_ index: Int) -> String { words[3 + index] }

    var argumentCount: Int { words.count - 3 - keyCount }

    /// One of the arguments, from 0.
    subscript(index: Int) -> String { words[3 + keyCount + index] }

    func bytes(_ index: Int) -> [UInt8] { words.bytes(3 + keyCount + index) }

    func id(_ index: Int) -> EntryID { EntryID(self[index]) ?? .zero }

    func number(_ index: Int) -> UInt64 { UInt64(self[index]) ?? 0 }
}

extension StoreReply {
    static func text(_ text: String?) -> StoreReply { text.map { .string(.init(string: $0)) } ?? .null }

    static func count(_ count: UInt64) -> StoreReply { .integer(Int64(clamping: count)) }
}
