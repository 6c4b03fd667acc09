/// A password or key as read from a file or the environment. Prints, dumps and interpolates as `<secret>`.
///
/// Not `Encodable`, so that it cannot end up in a status page by way of its owner.
package struct Secret: Hashable, Sendable {
    /// The secret itself. Hand it to the client that needs it and keep it nowhere else.
    package let exposed: String

    /// Wraps `exposed`.
    package init(_ exposed: String) {
        self.exposed = exposed
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
