internal import Journal
internal import Lease
internal import Projection
internal import RESP

/// A server in the world.
enum Server: Hashable, Sendable {
    /// The Redis of a region.
    case redis(Int)
    /// The PostgreSQL that everybody is led to.
    case postgres
}

/// A part of a worker that has connections.
enum Part: Hashable, Sendable {
    /// The mirror link to a region.
    case mirror(peer: Int)
    case capture
    case provisioning
    case voice
    case lease
}

/// Which of a part's connections.
enum Channel: Hashable, Sendable {
    /// Questions to the region's own Redis.
    case local
    /// Reads that wait for entries, from the region's own Redis.
    case reader
    /// The peer's Redis.
    case peer
    /// Questions to PostgreSQL.
    case database
    /// The replication stream.
    case stream
}

/// A part of one life of a worker.
struct Owner: Hashable, Sendable {
    let region: Int
    /// Which of the region's workers.
    let slot: Int
    /// Another one with each start.
    let life: Int
    /// Another one whenever it begins to work.
    var reign = 0
    let part: Part
}

/// What is asked of a server.
enum Request {
    case connect
    case redis(RedisCommand)
    /// Entries behind cursors and the mark of a control journal; waits, if it does, for the first for up to a second.
    case read([JournalCursor], count: Int, mark: JournalName?, waits: Bool)
    /// What process it is, and the marks of journals.
    case look([JournalName])
    /// All objects of the cache.
    case cache
    case lease(WorkerLease.Action)
    case postgres(PostgresRequest)
}

/// What a server answers.
enum Answer {
    case connected
    case redis(Result<StoreReply, StoreFailure>)
    case read([JournalRead], mark: String?)
    case look(runID: Int, births: [String?])
    case cache([ProvisioningEntry.ObjectName: [String: String]])
    case lease(LeaseValue, isHolderGone: Bool)
    case postgres(PostgresAnswer)
}

/// What an answer is for, as the part that asked knows it.
enum Question {
    case connect
    case ping
    case mirror(MirrorDriver.Question)
    case capture(CaptureDriver.Question)
    case provisioning(ProvisioningDriver.Question)
    case voice(VoiceDriver.Question)
    case lease(LeaseDriver.Question)
}

/// A connection: requests on their way to a server and answers on their way back, in order both.
struct Wire {
    struct Sent {
        /// Never the same twice.
        let number: Int
        let due: Int
        let request: Request
        let question: Question
        let sentAt: Int
    }

    struct Returning {
        let due: Int
        let answer: Answer
        let question: Question
        let sentAt: Int
    }

    let owner: Owner
    let channel: Channel
    let server: Server
    var requests: [Sent] = []
    var answers: [Returning] = []
    /// Reads that wait at the server.
    var parked: [Sent] = []
    /// The owner still listens.
    var isHeld = true
    /// It ended while its owner was paused, who does not know it yet.
    var isGone = false
    /// When what was sent last is there, either way.
    var lastRequest = 0
    var lastAnswer = 0
}

extension Wire {
    /// When the oldest request that was not answered was sent; nil for none.
    var waitingSince: Int? {
        var oldest = requests.first?.sentAt
        for sent in parked { oldest = min(oldest ?? sent.sentAt, sent.sentAt) }
        for returning in answers { oldest = min(oldest ?? returning.sentAt, returning.sentAt) }
        return oldest
    }
}

/// What a part wants done, behind a fact that it was told.
struct Outbox {
    var sends: [(channel: Channel, request: Request, question: Question)] = []
    var connects: [(channel: Channel, server: Server)] = []
    var closes: [Channel] = []
    /// Times in ms from now at which the part is to be woken, and what for.
    var alarms: [(delay: Int, alarm: Alarm)] = []

    mutating func ask(_ channel: Channel, _ command: RedisCommand, _ question: Question) {
        sends.append((channel, .redis(command), question))
    }
}

/// What a part is woken for.
enum Alarm: Hashable, Sendable {
    /// Try to connect again.
    case connect
    /// Align a journal after a pause.
    case align(JournalName, session: Int)
    /// Look around, once a second.
    case watch(session: Int)
    /// Knock and listen.
    case hear(session: Int)
    /// Look at everything again.
    case again(session: Int)
    /// Ask the machine for what is due.
    case machine(session: Int)
}

/// What a part is told.
enum Fact {
    case started
    /// `wire` is the server's number for the connection.
    case connected(Channel, wire: Int)
    /// One of its connections is gone.
    case lost(Channel)
    case woke(Alarm)
    case answered(Question, Answer)
}

/// A part of a worker, as a value.
protocol Driver {
    /// `now` is the worker's clock, ms.
    mutating func take(_ fact: Fact, now: Int, _ out: inout Outbox)
}
