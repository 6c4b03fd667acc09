extension FailoverMachine {
    /// What it is about.
    package enum Kind: String, Codable, Hashable, Sendable {
        /// The region takes over from one that is down.
        case failover
        /// The region came back, and is given its role again by one that lives.
        case failback
    }

    package struct Settings: Hashable, Sendable {
        package var kind: Kind
        /// The region that takes over.
        package var region: String
        /// Regions that it knows.
        package var peers: [String]
        package var acceptedLoss: AcceptedLoss
        package var hasFence: Bool
        package var hasPromote: Bool
        /// Only look, and say what would be done.
        package var isDryRun: Bool
        /// Declare the other region down also when it lives.
        package var evenIfAlive: Bool
        /// How long a step is tried again while what it needs is away.
        package var patience = Duration.seconds(30)
        /// Between two attempts.
        package var pause = Duration.milliseconds(100)

        package init(
            kind: Kind = .failover, region: String, peers: [String], acceptedLoss: AcceptedLoss, hasFence: Bool,
            hasPromote: Bool, isDryRun: Bool = false, evenIfAlive: Bool = false
        ) {
            self.kind = kind
            self.region = region
            self.peers = peers
            self.acceptedLoss = acceptedLoss
            self.hasFence = hasFence
            self.hasPromote = hasPromote
            self.isDryRun = isDryRun
            self.evenIfAlive = evenIfAlive
        }
    }
}
