import Connections
import NIOCore
import RedisClient
import RegionConfig

/// Every connection to a Redis that the generator keeps, as tasks that run until they are cancelled.
struct RedisLinks {
    private(set) var all: [@Sendable () async -> Void] = []
    private let settings: GeneratorSettings
    private let eventLoop: any EventLoop

    init(
        _ settings: GeneratorSettings, _ run: NIOLoopBound<RunningParts>, tails: [VoiceTraffic.TailName],
        eventLoop: any EventLoop, say: @escaping @Sendable (String) -> Void
    ) {
        self.settings = settings
        self.eventLoop = eventLoop
        let isVoiceOn = settings.eventsPerSecond > 0
        // One of a region's links speaks for all of them.
        let silent: @Sendable (String) -> Void = { _ in }
        for place in settings.regions.indices {
            if isVoiceOn {
                add(place, "events", say) { run.value.voice.writerConnected(place, $0) }
                for tail in tails where tail.peer == place {
                    add(place, "copies", silent) { run.value.voice.tailConnected(tail, $0) }
                }
            }
            if settings.changesPerSecond > 0 {
                add(place, "cache", isVoiceOn ? silent : say) { run.value.watches[place].connected($0) }
            }
        }
    }

    /// `serve` is called on the event loop; its result succeeds when the connection is of no use any more.
    private mutating func add(
        _ place: Int, _ purpose: String, _ say: @escaping @Sendable (String) -> Void,
        _ serve: @escaping @Sendable (RedisConnection) -> EventLoopFuture<Void>
    ) {
        let region = settings.regions[place]
        let link = RedisLink(
            RedisEndpoint(region.redis), region: region.name, purpose: purpose, eventLoop: eventLoop, say: say)
        let eventLoop = eventLoop
        all.append {
            await link.run { connection in
                // Whatever ended it, the link goes on with the next connection.
                let future = eventLoop.flatSubmit { serve(connection) }
                _ = try? await future.get()
            }
        }
    }
}
