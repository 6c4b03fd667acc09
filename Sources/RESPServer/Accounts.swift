/// The accounts of a listener: who is let in, by which secret or certificate.
package struct Accounts: Hashable, Sendable {
    /// An account and how its owner shows who they are.
    package struct Entry: Hashable, Sendable {
        package let account: Account
        /// Any of them lets in.
        package let secrets: [SecretHash]
        /// Names in a client's certificate that make it this account: DNS names, URIs or mail addresses.
        package let certificateNames: Set<String>

        package init(account: Account, secrets: [SecretHash], certificateNames: Set<String> = []) {
            self.account = account
            self.secrets = secrets
            self.certificateNames = certificateNames
        }
    }

    /// Who a client is before it says so; nil: it has to log in.
    package let anonymous: Account?
    private let entries: [String: Entry]
    private let namesByCertificate: [String: String]
    /// What no secret opens, as slow to check as the slowest there is; nil where all are checked fast. Names that there are
    /// not take as long as others.
    private let decoy: SCRAMVerifier?

    /// How often what is said of a name that there is not is hashed; nil: once.
    var decoyIterations: Int? { decoy?.iterations }

    /// Whether some secret is slow to check; then all are, lest time tell which names there are.
    package var hasSlowSecrets: Bool { decoy != nil }

    /// Of entries with the same name, or the same certificate name, the first counts.
    package init(_ entries: [Entry], anonymous: Account? = nil) {
        self.anonymous = anonymous
        self.entries = Dictionary(entries.map { ($0.account.name, $0) }, uniquingKeysWith: { first, _ in first })
        let certificates = entries.flatMap { entry in entry.certificateNames.map { ($0, entry.account.name) } }
        namesByCertificate = Dictionary(certificates, uniquingKeysWith: { first, _ in first })
        let iterations = entries.flatMap(\.secrets).compactMap(\.iterations).max()
        decoy = iterations.map { SCRAMVerifier(ofNobodyWith: $0) }
    }

    /// The account of this name as it is now; nil where there is none.
    package func account(named name: String) -> Account? { entries[name]?.account }

    /// The account of a client whose certificate, which has been verified, carries these names.
    package func account(ofCertificate names: [String]) -> Account? {
        for name in names {
            if let known = namesByCertificate[name] { return account(named: known) }
        }
        return nil
    }

    /// The account that `login` opens; nil where name and secret do not fit, which takes as long.
    package func account(for login: Login) -> Account? {
        let entry = entries[login.name]
        var isRight = false
        var wasSlow = false
        for secret in entry?.secrets ?? [.nobodys] {
            let fits = secret.matches(login.secret)
            isRight = isRight || fits
            wasSlow = wasSlow || secret.isSlow
        }
        if let decoy, !wasSlow { _ = decoy.matches(login.secret) }
        return isRight ? entry?.account : nil
    }
}
