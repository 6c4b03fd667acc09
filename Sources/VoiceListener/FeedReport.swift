internal import Logging
internal import Observability
internal import Projection

/// How well the feed can follow journals.
enum FeedStanding: Hashable, Sendable {
    case following
    /// Redis does not answer.
    case away
    /// Redis answers, but has not let some journals be read for a while: its own words.
    case refused(StoreFailure)
}

/// Tells operators how the feed is.
struct FeedReport: Sendable {
    static let component = "voice feed"

    let states: ComponentStates
    let logger: Logger

    func note(_ standing: FeedStanding) {
        states.set(
            Self.component, ComponentState(standing), logging: "The voice port's feed changed state", to: logger)
    }
}

extension ComponentState {
    fileprivate init(_ standing: FeedStanding) {
        switch standing {
        case .following: self.init("following", .working)
        case .away:
            self.init(
                "away", .waiting,
                reason: "the region's Redis does not answer: who waits goes on waiting, all else is refused")
        case .refused(let failure):
            self.init(
                "refused", .waiting, reason: "journals cannot be read, and who waits for them is told so: \(failure)",
                advice: failure.isWithoutRight ? "regionsync check names the rights that are missing" : nil)
        }
    }
}
