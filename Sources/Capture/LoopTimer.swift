/// Wakes an engine's loop at its deadlines: one sleeping child task for each deadline that came earlier than all others.
struct LoopTimer {
    private var armed: Duration?

    /// Whether a sleep until `deadline` is to be started now.
    mutating func needsArming(for deadline: Duration) -> Bool {
        if let armed, armed <= deadline { return false }
        armed = deadline
        return true
    }

    /// A sleep has ended.
    mutating func fired(at deadline: Duration) {
        if armed == deadline { armed = nil }
    }
}
