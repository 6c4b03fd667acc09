internal import Journal
package import Logging
package import Projection
internal import RESP
package import RESPServer
package import Tenants
internal import VoiceEvents

/// What clients of the voice port write: events into the journals of this region, requests to its voice front ends.
package struct VoiceWrites: Sendable {
    let region: String
    let store: any ProjectionStore
    let tenants: TenantLookup
    let peers: [any PeerCopies]
    let requests: RequestJournal
    let written = WrittenEntries()
    private let refusals: RefusalLog

    /// - Parameters:
    ///   - region: The region asked.
    ///   - store: Its Redis. Commands should fail while that is away, rather than wait.
    ///   - tenants: Those that requests may name.
    ///   - peers: What every other region keeps of the journals born here.
    ///   - logger: Told why Redis does not take something, which clients are not.
    package init(
        region: String, store: any ProjectionStore, tenants: TenantLookup, peers: [any PeerCopies], logger: Logger
    ) {
        self.region = region
        self.store = store
        self.tenants = tenants
        self.peers = peers
        refusals = RefusalLog(logger)
        requests = RequestJournal(region: region, store: store, refusals: refusals)
    }

    package var commands: [Command] { [appendCommand, waitCommand] + RequestForm.all.map { command(of: $0) } }
}

// MARK: Events

extension VoiceWrites {
    private var appendCommand: Command {
        Command(
            "XADD", arity: -5, flags: [.write], permission: .write,
            documentation: Command.Documentation(
                "Appends an event to a tenant's voice journal of this region.", group: "voice",
                arguments: [
                    Command.Argument("stream", .key), Command.Argument("id-selector", .pureToken, token: "*"),
                    Command.Argument("once", token: "ONCE", isOptional: true),
                    Command.Argument(
                        "data", .block, isMultiple: true,
                        parts: [Command.Argument("field"), Command.Argument("value")]),
                ]),
            handler: .asynchronous { await append($0) })
    }

    private func append(_ call: Invocation) async -> Reply {
        do throws(ReplyError) {
            let event = try AppendedEvent(call.request)
            let born = event.stream.region ?? region
            guard born == region || peers.contains(where: { $0.region == born }) else { throw .noStream }
            let tenant = try await tenants.tenant(event.stream.tenant, for: call.account)
            guard born == region else {
                throw ReplyError(
                    code: "READONLY", message: "this is a copy: events are written in the region they are born in")
            }
            let journal = event.stream.journal(tenant: tenant, here: region)
            let entry = try await append(event, to: journal, by: call.account.name)
            written.wrote(entry, to: journal, call.client)
            return .text(entry.id.description)
        } catch {
            return .error(error)
        }
    }

    private func append(
        _ event: AppendedEvent, to journal: JournalName, by account: String
    ) async throws(ReplyError) -> WrittenEntry {
        do throws(StoreFailure) {
            let answers: [Result<StoreReply, StoreFailure>]
            // Behind the event, so that it was in the journal that has this mark.
            let mark = RedisCommand("HGET", journal.metaKey, "birth")
            if let once = event.once {
                let key = OnceMemory.key(once, of: account, tenant: journal.tenant, region: region)
                let words = ["FCALL", RequestFunctions.append, "2", journal.key, key, OnceMemory.lifetime]
                let command = RedisCommand(words, event.words)
                answers = await store.answers(to: command, then: [mark], of: RequestFunctions.library)
            } else {
                answers = await store.run([RedisCommand(["XADD", journal.key, "*"], event.words), mark])
            }
            guard let id = try answers.first?.get().text.flatMap({ EntryID($0) }) else {
                throw StoreFailure.server(code: "ERR", message: "XADD does not answer an ID")
            }
            // Whatever the mark, the event is written.
            return WrittenEntry(id: id, birth: (try? answers.dropFirst().first?.get())?.text)
        } catch {
            if case .server("CONFLICT", _) = error {} else { refusals.note(error) }
            throw ReplyError(ofWrite: error)
        }
    }
}

// MARK: Requests

extension VoiceWrites {
    private func command(of form: RequestForm) -> Command {
        Command(
            form.kind.rawValue, arity: form.arity, flags: [.write], permission: .control,
            documentation: form.documentation, handler: .asynchronous { await request(form, $0) })
    }

    private func request(_ form: RequestForm, _ call: Invocation) async -> Reply {
        do throws(ReplyError) {
            let asked = try form.read(call.request)
            let tenant = try await tenants.tenant(asked.tenant, for: call.account)
            return .integer(
                try await requests.put(asked.request, tenant: tenant, once: asked.once, by: call.account.name))
        } catch {
            return .error(error)
        }
    }
}
