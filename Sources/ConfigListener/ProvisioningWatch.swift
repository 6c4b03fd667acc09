internal import Journal
internal import RESPServer

/// One watch of a connection.
struct ProvisioningWatch: Sendable {
    let client: Client
    /// Its number on the connection.
    let number: Int64
    /// dbid, decimal.
    let tenant: String
    /// Nil: all.
    let types: Set<String>?
    /// Up to here it was told everything, or does not want it.
    var place: EntryID
    /// Repairs of which it need not be told: they were over when it began.
    var repairs = 0

    func wants(_ event: ProvisioningEvent) -> Bool {
        event.name.tenant == tenant && event.id > place && wants(type: event.name.type)
    }

    /// Whether it concerns the watch that objects of a type, or of any, have to be read anew.
    func wants(type: String?) -> Bool {
        guard let type, let types else { return true }
        return types.contains(type)
    }

    /// The same for what happened at a position.
    func wants(reloadAt position: Position, type: String?) -> Bool { position.lastEntryID > place && wants(type: type) }
}
