import CLibPQ
import Glibc
import Synchronization

/// A thread that runs one connection's jobs and, between them, waits for its socket with poll(2).
///
/// It is the connection actor's executor, so libpq may block it without harm to the cooperative pool. The thread starts
/// with the first job and ends once `stop` was called and nothing is left to do; a job that comes later starts it again.
final class ConnectionThread: SerialExecutor {
    enum Interest: Sendable {
        case read, write, readAndWrite

        fileprivate var events: Int16 {
            switch self {
            case .read: Int16(POLLIN)
            case .write: Int16(POLLOUT)
            case .readAndWrite: Int16(POLLIN | POLLOUT)
            }
        }
    }

    enum Outcome: Sendable {
        /// The socket can be used, has failed, or is being closed: try it.
        case ready
        case timedOut
        case cancelled
    }

    private struct Wait {
        let id: UInt64
        let descriptor: Int32
        let events: Int16
        let deadline: ContinuousClock.Instant?
        let continuation: CheckedContinuation<Outcome, Never>
    }

    // Unchecked for `UnownedJob`, which is not Sendable: a job enters under the lock and leaves it once, to be run by the
    // thread. The rest is plain values.
    private struct State: @unchecked Sendable {
        var jobs: [UnownedJob] = []
        var waits: [Wait] = []
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
        var isRunning = false
        var isPolling = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wakeUp: Int32

    private let name: String

    /// `name` is what the system shows for the thread, 15 bytes of it.
    init(name: String) {
        self.name = String(decoding: name.utf8.prefix(15), as: UTF8.self)
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        precondition(wakeUp >= 0, "no file descriptor is left for an eventfd")
    }

    deinit {
        close(wakeUp)
    }

    // MARK: Executor

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let (mustStart, mustWake) = state.withLock { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return (!state.isRunning, state.isPolling)
        }
        if mustStart { start() } else if mustWake { wake() }
    }

    /// Lets the thread end once it is idle.
    func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    // MARK: Waiting

    /// Suspends until the socket is ready, the deadline has passed or the task is cancelled. Other jobs run meanwhile.
    func wait(
        for descriptor: Int32, _ interest: Interest, until deadline: ContinuousClock.Instant?,
        ignoresCancellation: Bool = false
    ) async -> Outcome {
        guard descriptor >= 0 else { return .ready }  // closed already: the next call on it fails
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        guard !ignoresCancellation else { return await suspend(id, descriptor, interest, deadline) }
        return await withTaskCancellationHandler {
            await suspend(id, descriptor, interest, deadline)
        } onCancel: {
            let wait = state.withLock { state -> Wait? in
                if let index = state.waits.firstIndex(where: { $0.id == id }) { return state.waits.remove(at: index) }
                state.cancelled.insert(id)
                return nil
            }
            wait?.continuation.resume(returning: .cancelled)
        }
    }

    /// Ends every wait as if the socket were ready: before the descriptor is closed, so that none polls a stranger's.
    func resumeAll() {
        let waits = state.withLock { state in
            defer { state.waits.removeAll() }
            return state.waits
        }
        for wait in waits { wait.continuation.resume(returning: .ready) }
    }

    private func suspend(
        _ id: UInt64, _ descriptor: Int32, _ interest: Interest, _ deadline: ContinuousClock.Instant?
    ) async -> Outcome {
        let outcome = await withCheckedContinuation { continuation in
            let (isCancelled, mustWake) = state.withLock { state in
                if state.cancelled.contains(id) { return (true, false) }
                state.waits.append(
                    Wait(
                        id: id, descriptor: descriptor, events: interest.events, deadline: deadline,
                        continuation: continuation))
                return (false, state.isPolling)
            }
            if isCancelled { continuation.resume(returning: .cancelled) } else if mustWake { wake() }
        }
        _ = state.withLock { $0.cancelled.remove(id) }
        return outcome
    }

    // MARK: Thread

    private func start() {
        let box = unsafe Unmanaged.passRetained(self)
        var thread = pthread_t()
        let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { box in
            guard let box = unsafe box else { return nil }
            unsafe Unmanaged<ConnectionThread>.fromOpaque(box).takeRetainedValue().run()
            return nil
        }
        let result = unsafe pthread_create(&thread, nil, main, box.toOpaque())
        precondition(result == 0, "no thread can be started for a PostgreSQL connection (error \(result))")
        pthread_detach(thread)
    }

    private func wake() {
        var one: UInt64 = 1
        // A full counter means that a wake-up is on its way already.
        _ = unsafe write(wakeUp, &one, MemoryLayout<UInt64>.size)
    }

    private enum Step {
        case run([UnownedJob])
        case poll([Wait])
        case end
    }

    private func run() {
        unsafe regionsync_name_thread(name)
        var descriptors: [pollfd] = []
        while true {
            switch nextStep() {
            case .run(let jobs):
                for job in jobs { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
            case .poll(let waits):
                descriptors.removeAll(keepingCapacity: true)
                descriptors.append(pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0))
                for wait in waits {
                    descriptors.append(pollfd(fd: wait.descriptor, events: wait.events, revents: 0))
                }
                let count = unsafe poll(&descriptors, nfds_t(descriptors.count), Self.timeout(of: waits))
                settle(waits, descriptors, hasEvents: count > 0)
            case .end:
                return
            }
        }
    }

    private func nextStep() -> Step {
        state.withLock { state in
            if !state.jobs.isEmpty {
                let jobs = state.jobs
                state.jobs = []
                return .run(jobs)
            }
            if state.isStopped && state.waits.isEmpty {
                state.isRunning = false
                return .end
            }
            state.isPolling = true
            return .poll(state.waits)
        }
    }

    /// Takes every wait that is over out of the list and resumes it.
    private func settle(_ waits: [Wait], _ descriptors: [pollfd], hasEvents: Bool) {
        if hasEvents, descriptors[0].revents != 0 {
            var counter: UInt64 = 0
            _ = unsafe read(wakeUp, &counter, MemoryLayout<UInt64>.size)
        }
        let now = ContinuousClock.now
        var over: [(id: UInt64, outcome: Outcome)] = []
        for (wait, polled) in zip(waits, descriptors.dropFirst()) {
            if hasEvents, polled.revents != 0 {
                over.append((wait.id, .ready))
            } else if let deadline = wait.deadline, deadline <= now {
                over.append((wait.id, .timedOut))
            }
        }
        let resumed = state.withLock { state -> [(Wait, Outcome)] in
            state.isPolling = false
            return over.compactMap { id, outcome in
                guard let index = state.waits.firstIndex(where: { $0.id == id }) else { return nil }
                return (state.waits.remove(at: index), outcome)
            }
        }
        for (wait, outcome) in resumed { wait.continuation.resume(returning: outcome) }
    }

    /// Milliseconds until the first deadline, rounded up; -1 for none.
    private static func timeout(of waits: [Wait]) -> Int32 {
        guard let first = waits.compactMap(\.deadline).min() else { return -1 }
        let milliseconds = ContinuousClock.now.duration(to: first) / .milliseconds(1)
        return Int32(max(0, min(milliseconds.rounded(.up), 60_000)))
    }
}
