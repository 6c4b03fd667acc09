import NIOCore
import Traffic

/// Ticks for changes, at a steady rate; those that come while a change runs are kept for a second.
struct ChangeClock: Sendable {
    let ticks: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// `rate` a second; 0: no tick ever.
    init(rate: Int, eventLoop: any EventLoop) {
        (ticks, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(max(1, rate)))
        guard rate > 0 else { return }
        Self.tick(0, OpenLoopSchedule(rate: rate), since: .now(), continuation, eventLoop)
    }

    /// No more ticks.
    func stop() { continuation.finish() }

    private static func tick(
        _ number: Int, _ schedule: OpenLoopSchedule, since began: NIODeadline,
        _ continuation: AsyncStream<Void>.Continuation, _ eventLoop: any EventLoop
    ) {
        eventLoop.scheduleTask(deadline: began + TimeAmount(schedule.due(number))) {
            if case .terminated = continuation.yield() { return }
            tick(number + 1, schedule, since: began, continuation, eventLoop)
        }
    }
}
