/// A name and a secret as a client gave them. Prints without the secret.
package struct Login: Hashable, Sendable {
    package let name: String
    package let secret: [UInt8]

    package init(name: String, secret: [UInt8]) {
        self.name = name
        self.secret = secret
    }
}

extension Login: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<login>" }
    package var debugDescription: String { "<login>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
