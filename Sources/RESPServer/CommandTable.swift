package import RESP

/// The commands of a port: those of the connection, which every port has, and its own.
package struct CommandTable: Sendable {
    /// Answers `EXEC`: an array of one reply a command, or one error. Its task is cancelled when the client is gone, where all
    /// commands are `readonly`.
    package typealias Transaction = @Sendable (TransactionInvocation) async -> Reply
    /// A section of `INFO` and its lines.
    package typealias Information = (section: String, lines: [(key: String, value: String)])

    /// Every command, those of the connection first.
    package let commands: [Command]
    /// Where each stands, by its name's hash.
    private let places: [UInt64: [Int]]
    let transaction: Transaction?
    let information: @Sendable () -> [Information]

    /// - Parameters:
    ///   - commands: The port's own.
    ///   - transaction: Carries out what stood between `MULTI` and `EXEC`; nil: the port knows neither.
    ///   - information: What the port adds to `INFO`; called for each and must not wait.
    package init(
        _ commands: [Command], transaction: Transaction? = nil,
        information: @escaping @Sendable () -> [Information] = { [] }
    ) {
        let builtins = Builtin.allCases.filter { transaction != nil || !$0.isTransactional }
        self.commands = builtins.map(\.command) + commands
        self.transaction = transaction
        self.information = information
        var places: [UInt64: [Int]] = [:]
        for (place, command) in self.commands.enumerated() {
            let hash = Request(command.name).withBytes(0) { Self.hash($0) }
            places[hash, default: []].append(place)
        }
        self.places = places
    }

    /// Where the command stands that the word at `index` of `request` names, in any case; nil where none has the name.
    func place(named index: Int, of request: Request) -> Int? {
        request.withBytes(index) { word in
            guard word.byteCount <= Self.nameBytes else { return nil }
            return places[Self.hash(word)]?.first { Self.isName(commands[$0].name, word) }
        }
    }

    /// The command of that name, in any case.
    func command(named name: String) -> Command? {
        place(named: 0, of: Request(name)).map { commands[$0] }
    }

    /// Longer than any name: what a client sends as one may be as long as it may send anything.
    private static let nameBytes = 64

    /// FNV-1a over the bytes in upper case.
    private static func hash(_ bytes: RawSpan) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in 0..<bytes.byteCount {
            // Safe: the index lies inside the bytes.
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            hash = (hash ^ UInt64(upper(byte))) &* 0x100_0000_01b3
        }
        return hash
    }

    private static func isName(_ name: String, _ bytes: RawSpan) -> Bool {
        let name = name.utf8
        guard name.count == bytes.byteCount else { return false }
        for (index, byte) in name.enumerated() {
            // Safe: the index lies inside the bytes.
            let other = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            guard upper(other) == byte else { return false }
        }
        return true
    }

    private static func upper(_ byte: UInt8) -> UInt8 { 0x61...0x7a ~= byte ? byte &- 0x20 : byte }
}
