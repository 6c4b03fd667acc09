import Connections
import NIOCore
import NIOPosix
import RedisClient
package import RegionConfig

/// Stand-ins for the voice front ends of regions: answer call-control requests of every tenant. One a region at a time.
package final class FrontEnds: Sendable {
    private let regions: [Region]
    private let say: @Sendable (String) -> Void
    private let stopped = StopSignal()

    /// `say` gets lines for people.
    package init(of regions: [Region], say: @escaping @Sendable (String) -> Void) {
        self.regions = regions
        self.say = say
    }

    /// Lets `run` return. What was read and not answered is answered by whoever runs next.
    package func stop() { stopped.stop() }

    /// Answers until `stop` is called, or `duration` has passed.
    package func run(for duration: Duration? = nil) async {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        await withTaskGroup(of: Void.self) { tasks in
            for region in regions {
                let link = RedisLink(
                    RedisEndpoint(region.redis), region: region.name, purpose: "front-end", eventLoop: eventLoop,
                    say: say)
                let tenants = region.tenants.map(String.init)
                tasks.addTask { [say] in
                    await link.run { connection in
                        var session = FrontEndSession(
                            region: region.name, tenants: tenants, connection: connection, say: say)
                        await session.run()
                    }
                }
            }
            await stopped.wait(duration)
            tasks.cancelAll()
        }
        try? await group.shutdownGracefully()
    }
}
