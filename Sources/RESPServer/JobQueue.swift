/// Commands that answer on Swift's pool, one task each, all of them children of whoever runs the queue.
///
/// Not bounded by the connections: what may change something and was begun for a client that is gone goes on. Such commands
/// bound their own time and number.
struct JobQueue: Sendable {
    typealias Job = @Sendable () async -> Void

    private let jobs: AsyncStream<Job>
    private let intake: AsyncStream<Job>.Continuation

    init() {
        (jobs, intake) = AsyncStream.makeStream(of: Job.self)
    }

    /// Adds a job, which begins as soon as the queue runs; false once it is finished or cancelled: it never will.
    func add(_ job: @escaping Job) -> Bool {
        if case .enqueued = intake.yield(job) { true } else { false }
    }

    /// Takes no more jobs; `run` returns when those there are have ended.
    func finish() { intake.finish() }

    /// Runs jobs until `finish`, or until it is cancelled, and they with it.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await job in jobs {
                group.addTask { await job() }
            }
        }
    }
}
