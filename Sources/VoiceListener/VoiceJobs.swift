internal import NIOCore

/// What the feed has to do on tasks of its own.
struct VoiceJobs: Sendable {
    enum Job: Sendable {
        /// Read what the reader of this number is to read.
        case reader(Int, on: any EventLoop)
        case other(@Sendable () async -> Void)
    }

    let stream: AsyncStream<Job>
    private let intake: AsyncStream<Job>.Continuation

    init() {
        (stream, intake) = AsyncStream.makeStream(of: Job.self)
    }

    /// Adds a job, which begins as soon as somebody takes it; false once whoever took them was cancelled: it never will.
    /// Not bounded by itself: a connection asks for one at a time.
    @discardableResult
    func add(_ job: Job) -> Bool {
        if case .enqueued = intake.yield(job) { true } else { false }
    }
}
