internal import Observability

// What the slot costs PostgreSQL, whatever capture itself does.
extension Capture {
    /// Asks for the slot's health again and again, until the task is cancelled.
    func watchSlot() async {
        while !Task.isCancelled {
            note(await source.slotHealth())
            try? await Task.sleep(for: settings.sampleInterval)
        }
        note(nil)
    }

    private func note(_ health: SlotHealth?) {
        metrics.retainedBytes.set(health.map { Double($0.retainedBytes) })
        metrics.safeBytes.set(health.flatMap(\.safeBytes).map(Double.init))
        guard let health else { return states.remove(Self.slotComponent) }
        let isTooMuch = settings.retainedWALLimit.map { health.retainedBytes > $0 } ?? false
        enter(isTooMuch ? .retainsTooMuch : .retains, of: Self.slotComponent)
    }
}
