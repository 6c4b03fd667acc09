package import Journal

/// An entry of a shape that nobody here knows: it stays in its journal and changes no state.
package struct PassedOver: Hashable, Sendable {
    package let journal: JournalName
    package let entry: EntryID
}
