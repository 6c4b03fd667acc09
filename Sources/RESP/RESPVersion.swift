/// The version of the protocol that a client asked for with `HELLO`.
package enum RESPVersion: Int, Hashable, Sendable {
    case two = 2
    case three = 3
}
