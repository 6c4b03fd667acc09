internal import Foundation
internal import Logging
internal import NIOPosix
internal import Observability
internal import RESPServer
internal import RegionConfig

/// The accounts and certificates of the ports, read again whenever their files change; clients stay connected.
actor ListenerFiles {
    /// The component that tells whether what the files hold now is in force.
    static let component = "listener files"

    /// What is read of files. Two ports may show the same certificate: each reads it for itself.
    private enum Subject: Hashable {
        case accounts
        case certificates(port: String)
    }

    private let accountsFile: String?
    private let states: ComponentStates
    private let logger: Logger

    private var accountStore: AccountStore?
    private var certificates: [String: (files: [String], tls: ServerTLS)] = [:]
    /// What the files of each subject held when they were read last, by path.
    private var seen: [Subject: [String: Int]] = [:]

    init(_ listeners: Region.Listeners, states: ComponentStates, logger: Logger) {
        accountsFile = listeners.accountsFile
        self.states = states
        self.logger = logger
    }

    /// The accounts that all ports share, read when they are asked for first.
    func accounts() async throws -> AccountStore {
        if let accountStore { return accountStore }
        let contents = await Self.contents(of: accountsFile.map { [$0] } ?? [])
        let store = AccountStore(try await readAccounts())
        // Another port may have been faster.
        if let accountStore { return accountStore }
        accountStore = store
        seen[.accounts] = contents
        return store
    }

    /// The certificates of a port; nil where it speaks in the clear.
    func certificates(of port: String, _ listener: Region.Listener) async throws -> ServerTLS? {
        guard let tls = listener.tls else { return nil }
        if let known = certificates[port] { return known.tls }
        let files = [tls.certFile, tls.keyFile] + [tls.clientCAFile].compactMap(\.self)
        let contents = await Self.contents(of: files)
        let read = try await ServerTLS.read(
            ServerTLS.Files(certFile: tls.certFile, keyFile: tls.keyFile, clientCAFile: tls.clientCAFile))
        certificates[port] = (files, read)
        seen[.certificates(port: port)] = contents
        return read
    }

    /// Looks once a second, until cancelled. What cannot be read is tried again, and what was read before stays.
    func watch() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            guard !Task.isCancelled else { break }
            await look()
        }
    }

    private func look() async {
        var problem: (file: String, reason: String)?
        if let accountStore, let accountsFile {
            problem = await reload(.accounts, from: [accountsFile]) {
                accountStore.replace(with: try await readAccounts())
                logger.info("The accounts were read again", [.file: "\(accountsFile)"])
            }
        }
        for (port, (files, tls)) in certificates {
            let found = await reload(.certificates(port: port), from: files) {
                try await tls.reload()
                logger.info("The certificates were read again", [.file: "\(files[0])"])
            }
            problem = problem ?? found
        }
        guard let problem else { return states.remove(Self.component) }
        states.set(
            Self.component,
            ComponentState(
                "unreadable", .degraded, reason: "\(problem.file): \(problem.reason)",
                advice: "what was read before is in force until the file can be read; it is tried every second"),
            logging: "A file of the ports cannot be read", to: logger)
    }

    /// Calls `read` if the files hold something else than when they were read last; answers what went wrong.
    private func reload(
        _ subject: Subject, from files: [String], _ read: () async throws -> Void
    ) async -> (file: String, reason: String)? {
        let contents = await Self.contents(of: files)
        let before = seen[subject] ?? [:]
        guard contents.contains(where: { before[$0.key] != $0.value }) else { return nil }
        do {
            try await read()
            seen[subject] = contents
            return nil
        } catch {
            return (files[0], "\(error)")
        }
    }

    private func readAccounts() async throws -> Accounts {
        guard let accountsFile else { return .everybody }
        let file = try await NIOThreadPool.singleton.runIfActive { try AccountFile.load(accountsFile) }
        return try Accounts(file.accounts)
    }

    /// A number for what each file holds, which differs for something else; 0 for one that cannot be read.
    private static func contents(of files: [String]) async -> [String: Int] {
        let numbers = try? await NIOThreadPool.singleton.runIfActive {
            // Of `Data` the hash is that of its first bytes alone.
            files.map { path in (try? Data(contentsOf: URL(filePath: path))).map { Array($0).hashValue } ?? 0 }
        }
        return Dictionary(zip(files, numbers ?? []), uniquingKeysWith: { $1 })
    }
}

/// A secret's hash in the file of accounts is none.
struct UnusableHash: Error, CustomStringConvertible {
    let account: String

    var description: String { "account \(account) has a secret hash that cannot be used" }
}

extension Accounts {
    /// Whoever can connect may do everything.
    static let everybody = Accounts(
        [],
        anonymous: Account(
            name: Account.defaultName, permissions: Set(Permission.allCases), tenants: .all))

    /// The accounts of a region's file.
    init(_ accounts: [Region.Account]) throws(UnusableHash) {
        var entries: [Entry] = []
        for account in accounts where !account.isAnonymous {
            var secrets: [SecretHash] = []
            for text in account.secretHashes {
                guard let hash = SecretHash(text) else { throw UnusableHash(account: account.name) }
                secrets.append(hash)
            }
            entries.append(
                Entry(account: Account(account), secrets: secrets, certificateNames: Set(account.certificateNames)))
        }
        self.init(entries, anonymous: accounts.first(where: \.isAnonymous).map { Account($0) })
    }
}

extension Account {
    init(_ account: Region.Account) {
        let permissions = account.permissions.compactMap { Permission(rawValue: $0.rawValue) }
        self.init(
            name: account.name, permissions: Set(permissions),
            tenants: account.tenants.map { .some($0) } ?? .all)
    }
}
