internal import Journal
internal import Logging
internal import Observability
internal import RESP

/// What happens between a session that failed and the next.
struct SessionPause {
    private var step = Duration.milliseconds(20)

    /// A session got as far as to read.
    mutating func aligned() { step = .milliseconds(20) }

    /// Loads the functions where they are missing, else waits a little longer each time, up to a second.
    mutating func wait(
        after failure: StoreFailure, _ store: any ProjectionStore, _ report: ProjectionReport, _ component: String
    ) async {
        if failure.isFunctionMissing {
            report.logger.info("Functions were missing and are loaded", [.component: "\(component)"])
            let loads = await store.run(ProjectionFunctions.libraries.map(\.loadCommand))
            if loads.allSatisfy({ if case .success = $0 { true } else { false } }) { return }
        }
        guard !failure.isCut else { return }
        report.failed(component, failure)
        try? await Task.sleep(for: step * Double.random(in: 0.5...1))
        step = min(step * 2, .seconds(1))
    }
}
