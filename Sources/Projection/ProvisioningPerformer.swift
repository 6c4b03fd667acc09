package import Journal
package import RESP

/// Carries out a fold's actions at the store: gathers calls, and waits only where the fold needs an answer.
package struct ProvisioningPerformer: Sendable {
    /// Commands that were given out and not sent.
    package private(set) var commands: [RedisCommand] = []
    /// Sentences about keys that were replaced, from the answers that were waited for.
    private var replaced: [String] = []
    private var byteCount = 0
    private let store: any ProjectionStore
    /// Bytes of calls that are sent together at most.
    private let sentBytes: Int

    package init(store: any ProjectionStore, sentBytes: Int = 2 << 20) {
        self.store = store
        self.sentBytes = sentBytes
    }

    /// Performs actions until the fold needs to read on, or enough commands are gathered to be sent; answers whether the
    /// fold may have more. `trailing` is the cursor that trails all tenants' when the commands are carried out; `noted` is
    /// told of quarantined objects.
    package mutating func perform(
        _ fold: inout ProvisioningFold, trailing: Position,
        noted: (ProvisioningFold.ObjectName, ProvisioningFold.Problem) -> Void
    ) async throws(StoreFailure) -> Bool {
        while byteCount < sentBytes {
            guard let action = fold.nextAction() else { return false }
            switch action {
            case .apply(let call): add(call.command)
            case .register(let tenants):
                add(RedisCommand(words: ["SADD", tenantsKey] + tenants, runs: []))
                _ = try await sent(taking: 0)
            case .fetch(let names):
                fold.fetched(try await rows(of: names))
            case .walk(let walks):
                for walk in walks { add(walk.command) }
                fold.walked(try await sent(taking: walks.count).map { ObjectWalk.Answer($0) })
            case .locate(let journal, let position):
                add(
                    RedisCommand(
                        "XREVRANGE", journal.key, "\(position)-\(UInt64.max)", "\(position)-0", "COUNT", "1"))
                if let last = LastEntry(try await sent(taking: 1).first) {
                    fold.located(journal, last.id, operation: last.operation)
                }
            case .quarantine(let name, let problem, let cursor):
                add(ProjectionFunctions.quarantine("SADD", name, at: cursor))
                noted(name, problem)
            case .release(let name, let cursor):
                add(ProjectionFunctions.quarantine("SREM", name, at: cursor))
            case .mark(let new, let old):
                add(
                    ProjectionFunctions.mark(
                        Staleness.field, from: old?.description, to: new?.description, at: trailing))
            case .note(let new, let old):
                add(
                    ProjectionFunctions.mark(
                        Inexactness.field, from: old.description, to: new.description, at: trailing))
            }
        }
        return true
    }

    /// Takes the gathered commands, for the driver to send while the fold goes on.
    package mutating func take() -> [RedisCommand] {
        defer {
            commands.removeAll()
            byteCount = 0
        }
        return commands
    }

    /// Takes the sentences about keys that were replaced.
    package mutating func takeReplaced() -> [String] {
        defer { replaced.removeAll() }
        return replaced
    }

    /// What is there of these objects, on which changes will build: whoever is about to put one right may not any more. A key
    /// that holds no object is deleted.
    private mutating func rows(
        of names: [ProvisioningFold.ObjectName]
    ) async throws(StoreFailure) -> [ProvisioningFold.ObjectName: StoredRow] {
        for name in names {
            add(RedisCommand("HDEL", ProjectionKeys.watches(tenant: name.tenant, type: name.type), name.key))
        }
        for name in names {
            add(RedisCommand("HGETALL", ProjectionKeys.object(tenant: name.tenant, type: name.type, id: name.key)))
        }
        let results = await store.run(take())
        for result in results.dropLast(2 * names.count) { note(try result.get()) }
        for case .failure(let failure) in results.suffix(2 * names.count).prefix(names.count) {
            // Something else in the place of watches is none, and is replaced with the next change.
            guard failure.isWrongType else { throw failure }
        }
        var rows: [ProvisioningFold.ObjectName: StoredRow] = [:]
        var foreign: [ProvisioningFold.ObjectName] = []
        for (name, result) in zip(names, results.suffix(names.count)) {
            switch result {
            case .success(let reply): rows[name] = StoredRow(reply)
            case .failure(let failure):
                guard failure.isWrongType else { throw failure }
                foreign.append(name)
            }
        }
        for reply in try await store.answers(foreign.map { ProjectionFunctions.discard($0) }) { note(reply) }
        return rows
    }

    /// Of all that is sent only calls that replaced keys are answered with a list.
    private mutating func note(_ reply: StoreReply) { replaced += reply.elements.compactMap(\.text) }

    private mutating func add(_ command: RedisCommand) {
        commands.append(command)
        byteCount += command.byteCount
    }

    /// Sends what is gathered and answers the last replies; all must have succeeded.
    private mutating func sent(taking last: Int) async throws(StoreFailure) -> ArraySlice<StoreReply> {
        let replies = try await store.answers(take())
        for reply in replies.dropLast(last) { note(reply) }
        return replies.suffix(last)
    }
}

extension StoredRow {
    /// Reads the answer to HGETALL; nil where there is no object.
    package init?(_ reply: StoreReply) {
        let words = reply.elements.compactMap(\.text)
        guard !words.isEmpty else { return nil }
        var columns: [String: String] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) { columns[words[index]] = words[index + 1] }
        let version = columns.removeValue(forKey: "_v").flatMap { Position($0) }
        columns["_d"] = nil
        self.init(columns: columns, version: version)
    }
}

extension ObjectWalk.Answer {
    /// Reads `[scan, id…]`.
    package init(_ reply: StoreReply) {
        let words = reply.elements.compactMap(\.text)
        self.init(scan: words.first ?? "0", ids: Array(words.dropFirst()))
    }
}

/// The only entry in an answer to XREVRANGE.
private struct LastEntry {
    let id: EntryID
    /// The value of its `op` field.
    let operation: String

    /// nil when there is no entry.
    init?(_ reply: StoreReply?) {
        guard let entry = reply?.elements.first?.elements, entry.count == 2,
            let id = entry[0].text.flatMap({ EntryID($0) })
        else { return nil }
        let strings = entry[1].elements.compactMap(\.text)
        let field = stride(from: 0, to: strings.count - 1, by: 2).first { strings[$0] == "op" }
        self.id = id
        operation = field.map { strings[$0 + 1] } ?? ""
    }
}
