package import VoiceEvents

/// Produces the events of one region's voice front ends over its tenants, by seed: many calls in progress at once, each
/// following the state machines of domain.md.
///
/// It has no clock: the caller says at what time each event happens (`OpenLoopSchedule` tells when it is due). The same
/// settings and times give the same events on every machine.
package struct TrafficGenerator: Sendable {
    /// An event, and the tenant in whose journal it belongs.
    package struct Produced: Sendable {
        package let tenant: Int64
        package let event: VoiceEvent
    }

    /// What a generator is made from.
    package struct Settings: Sendable {
        /// `Server` of the events: the region's name.
        package var server: String
        package var seed: UInt64
        /// When the server started, µs since 1970; with the sequence number it identifies an event for ever, so no two
        /// runs of a region may share it.
        package var startTime: Int64
        /// Calls in progress at a tenant at most; fewer where agents are missing.
        package var callsPerTenant: Int

        package init(server: String, seed: UInt64, startTime: Int64, callsPerTenant: Int = 40) {
            self.server = server
            self.seed = seed
            self.startTime = startTime
            self.callsPerTenant = callsPerTenant
        }
    }

    private let settings: Settings
    private var random: SplitMix64
    private var floors: [CallFloor]
    private var isEnding = false
    private var sequence: Int64 = 0
    private var numbers: CallNumbers

    /// Tenants with neither queues nor agents are left out.
    package init(_ settings: Settings, tenants: [TenantInventory]) {
        self.settings = settings
        random = SplitMix64(seed: settings.seed)
        numbers = CallNumbers(server: settings.server, startTime: settings.startTime)
        floors = tenants.filter(\.isUsable).map { CallFloor($0, callsInProgress: settings.callsPerTenant) }
    }

    /// Events produced so far; the last one's `EventSequenceNumber`.
    package var producedCount: Int64 { sequence }

    /// From now on no new call begins; `next` gives nil when the last one has ended.
    package mutating func endCalls() {
        isEnding = true
        floors.removeAll { !$0.hasCalls }
    }

    /// The next event, as of `time` (µs since 1970); nil when there is none.
    package mutating func next(at time: Int64) -> Produced? {
        guard !floors.isEmpty else { return nil }
        let index = random.below(floors.count)
        let tenant = floors[index].inventory.tenant
        guard var event = floors[index].next(&random, &numbers, beginning: !isEnding) else {
            return nil
        }
        if isEnding, !floors[index].hasCalls { floors.remove(at: index) }
        sequence += 1
        event.id = "\(sequence)"
        event.server = settings.server
        event.time = time
        event.serverStartTime = settings.startTime
        event.eventSequenceNumber = sequence
        return Produced(tenant: tenant, event: event)
    }
}
