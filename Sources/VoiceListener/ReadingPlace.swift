internal import NIOCore

/// Where a reader of journals had better read: on the event loop of the clients that get what it reads, so that nothing
/// passes through another thread on its way; where they are a crowd, on one that has no clients to write to.
///
/// A value, told of each mailing. Reading elsewhere takes another connection, so one mailing does not move a reader.
struct ReadingPlace {
    /// What was sent of one read.
    struct Mailing {
        var count = 0
        /// The event loop of all who got it; nil where they are of several.
        var loop: (any EventLoop)?

        mutating func add(_ count: Int, on loop: any EventLoop) {
            self.loop = self.count == 0 || self.loop === loop ? loop : nil
            self.count += count
        }
    }

    /// Clients that are more than this are a crowd: sending to them is what takes time.
    static let crowd = 32
    /// How many mailings in a row go to the clients of another loop before that is the better place.
    static let patience = 64

    private let here: any EventLoop
    private var other: (any EventLoop)?
    private var mailings = 0

    init(on loop: any EventLoop) {
        here = loop
    }

    /// The better place, as far as is known behind a mailing; nil: it reads where it should.
    mutating func sent(_ mailing: Mailing) -> (any EventLoop)? {
        guard mailing.count > 0 else { return nil }
        guard let loop = mailing.loop, loop !== here, mailing.count <= Self.crowd else {
            mailings = 0
            return nil
        }
        mailings = loop === other ? mailings + 1 : 1
        other = loop
        return mailings < Self.patience ? nil : loop
    }
}
