/// One way through the proxy.
package enum Direction: String, CaseIterable, Codable, Hashable, Sendable {
    /// From the client to the server: requests.
    case there
    /// From the server to the client: answers.
    case back

    package var opposite: Direction { self == .there ? .back : .there }
}
