// While it streams nothing tells capture that what it reads is not all, or not its to read any more.
extension Capture {
    /// Runs `body`, and cuts it short once another history than `history` counts, or the stream shows the tables in another
    /// way than `shown`; the next look says what to do.
    func whileUnchanged(
        _ history: UInt64, shown: String, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await body() }
            group.addTask {
                while true {
                    try await Task.sleep(for: settings.takeoverInterval)
                    guard let known = await journal.newestHistory(), known > history else { continue }
                    throw CaptureFailure.unavailable("history \(known) has begun")
                }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: settings.surveyInterval)
                    guard let survey = await source.survey() else { continue }
                    guard survey.history == history else {
                        throw CaptureFailure.unavailable("history \(survey.history) has begun")
                    }
                    guard survey.shown == shown else {
                        throw CaptureFailure.unavailable("the publication or a table of the catalog was changed")
                    }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
