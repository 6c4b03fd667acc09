package import Observability

/// `regionsync status`: what the workers of some regions say of themselves.
package struct StatusOverview: Encodable, Sendable {
    /// One region's worker.
    package struct Worker: Encodable, Sendable {
        package let region: String
        /// Where its admin port is.
        package let address: String
        package let running: Bool
        /// Why there is no status, or whose it is instead.
        package let problem: String?
        package let status: WorkerStatus?
        /// Entries a second that each peer acknowledged between the last two looks.
        package let eventsPerSecond: [String: Double]?

        package init(
            region: String, address: String, running: Bool, problem: String?, status: WorkerStatus?,
            eventsPerSecond: [String: Double]?
        ) {
            self.region = region
            self.address = address
            self.running = running
            self.problem = problem
            self.status = status
            self.eventsPerSecond = eventsPerSecond
        }
    }

    package let regions: [Worker]

    package init(regions: [Worker]) { self.regions = regions }

    /// Whether every region's own worker runs and is ready.
    package var isReady: Bool { regions.allSatisfy { $0.problem == nil && $0.status?.ready ?? false } }
}

/// Looks at workers again and again, and remembers what rates are made of.
package struct StatusWatch: Sendable {
    private struct Look: Sendable {
        let time: ContinuousClock.Instant
        let appended: [String: Int]
    }

    private let workers: [(region: String, host: String, port: Int)]
    private var looks: [String: Look] = [:]

    /// Watches the workers at these admin ports.
    package init(_ workers: [(region: String, host: String, port: Int)]) {
        self.workers = workers
    }

    /// Looks at all of them.
    package mutating func look() async -> StatusOverview {
        var regions: [StatusOverview.Worker] = []
        for worker in workers {
            let answer = await StatusReader.read(host: worker.host, port: worker.port)
            let address = "\(worker.host):\(worker.port)"
            switch answer {
            case .status(let status):
                regions.append(
                    .init(
                        region: worker.region, address: address, running: true,
                        problem: status.region == worker.region
                            ? nil : "the worker there is that of region \(status.region)",
                        status: status, eventsPerSecond: rates(of: worker.region, status)))
            case .notRunning(let reason), .unreadable(let reason):
                var isRunning = false
                if case .unreadable = answer { isRunning = true }
                regions.append(
                    .init(
                        region: worker.region, address: address, running: isRunning, problem: reason, status: nil,
                        eventsPerSecond: nil))
                looks[worker.region] = nil
            }
        }
        return StatusOverview(regions: regions)
    }

    private mutating func rates(of region: String, _ status: WorkerStatus) -> [String: Double]? {
        let now = Look(
            time: .now,
            appended: Dictionary(status.links.map { ($0.peer, $0.appended) }, uniquingKeysWith: { first, _ in first }))
        defer { looks[region] = now }
        guard let before = looks[region] else { return nil }
        let seconds = (now.time - before.time) / .seconds(1)
        return now.appended.compactMapValues { $0 }.reduce(into: [:]) { rates, link in
            // A worker that was started anew counts from 0.
            guard let earlier = before.appended[link.key], link.value >= earlier, seconds > 0 else { return }
            rates[link.key] = (Double(link.value - earlier) / seconds * 10).rounded() / 10
        }
    }
}

extension StatusOverview {
    /// Tables for people.
    package var text: String {
        regions.map(\.text).joined(separator: "\n")
    }
}

extension StatusOverview.Worker {
    fileprivate var text: String {
        guard let status else {
            return "Region \(region)  \(running ? "no status" : "worker not running")\n  \(problem ?? "")\n"
        }
        var text = "Region \(region)  \(status.ready ? "ready" : "not ready")  http://\(address)/\n"
        if let problem { text += "  \(problem)\n" }
        if !status.waitingFor.isEmpty { text += "  waits for \(status.waitingFor.joined(separator: ", "))\n" }
        return text + components(status) + links(status) + pipeline(status)
    }

    private func components(_ status: WorkerStatus) -> String {
        var table = TextTable([
            ("  COMPONENT", .left), ("STATE", .left), ("HEALTH", .left), ("SINCE", .left), ("", .left),
        ])
        for report in status.components {
            table.add([
                "  " + report.component, report.state.name, report.state.health.rawValue, report.since,
                report.state.reason ?? "",
            ])
            if let advice = report.state.advice { table.add(["", "", "", "", "-> " + advice]) }
        }
        return table.isEmpty ? "" : table.text
    }

    private func links(_ status: WorkerStatus) -> String {
        var table = TextTable([
            ("  LINK TO", .left), ("", .left), ("LAG", .right), ("BACKLOG", .right), ("EVENTS/S", .right),
            ("P50 SO FAR", .right), ("P99 SO FAR", .right), ("ACKNOWLEDGED", .right),
        ])
        for link in status.links {
            table.add([
                "  " + link.peer, link.up ? "up" : "down",
                Self.show(link.lagSeconds.map { $0 * 1000 }, "ms"), Self.show(link.backlogEntries),
                Self.show(eventsPerSecond?[link.peer], ""), Self.show(link.latencyP50Ms, "ms"),
                Self.show(link.latencyP99Ms, "ms"), "\(link.appended)",
            ])
        }
        return table.isEmpty ? "" : table.text
    }

    private func pipeline(_ status: WorkerStatus) -> String {
        var text = ""
        if let capture = status.capture {
            text += "  capture: \(Self.role(capture, status)), \(capture.connected ? "connected" : "not connected")"
            text += capture.historyNumber.map { ", history \($0)" } ?? ""
            text += ", lag \(Self.show(capture.lagBytes)) bytes, \(Self.show(capture.lagSeconds, "s"))"
            text += ", WAL kept \(Self.show(capture.retainedWALBytes)) bytes, \(capture.transactions) transactions\n"
        }
        if let projection = status.projection {
            text += "  projection: lag \(Self.show(projection.lagEntries)) entries, \(projection.applied) applied"
            text += ", so far visible after p50 \(Self.show(projection.visibleP50Ms, "ms"))"
            text += ", p99 \(Self.show(projection.visibleP99Ms, "ms"))\n"
        }
        return text
    }

    /// Who captures; where it is this region and nothing can be captured now, or that is not known, how capture stands.
    private static func role(_ capture: WorkerStatus.Capture, _ status: WorkerStatus) -> String {
        guard !capture.capturing else { return "this region" }
        let state = status.components.first { $0.component == "capture" }?.state
        return state?.name == "other-region" ? "another region" : state?.name ?? "unknown"
    }

    private static func show(_ value: Int?) -> String { value.map { "\($0)" } ?? "-" }

    /// At most two decimals.
    private static func show(_ value: Double?, _ unit: String) -> String {
        guard let value else { return "-" }
        let rounded = (value * 100).rounded() / 100
        let text = rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
        return unit.isEmpty ? text : "\(text) \(unit)"
    }
}
