internal import NIOCore

/// An event loop as the place where a task's code runs that belongs to no actor.
///
/// Swift resumes such code, the library's own included, on the global executor: a thread woken for each answer from Redis,
/// which then wakes the loop again.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
