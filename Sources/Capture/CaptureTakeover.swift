// A region that was cut off does not hear at once that another one has taken over.
extension Capture {
    /// Runs `body`, and cuts it short once a newer history than `history` is known here: its server is a former primary
    /// then, and the next look says so.
    func unlessTakenOver(_ history: UInt64, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await body() }
            group.addTask {
                while true {
                    try await Task.sleep(for: settings.takeoverInterval)
                    guard let known = await journal.newestHistory(), known > history else { continue }
                    throw CaptureFailure.unavailable("another region captures under history \(known)")
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
