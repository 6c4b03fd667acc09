import Testing

@testable import RESPServer

@Suite("Accounts") struct AccountsTests {
    /// As PostgreSQL 15 keeps the password `pencil` of RFC 7677's example salt.
    static let pencil =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        + "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

    @Test("Hashes as Redis and PostgreSQL keep them")
    func hashes() throws {
        let sesame = try #require(SecretHash.sesame)
        #expect(sesame.matches(Array("sesame".utf8)) && !sesame.matches(Array("sesam".utf8)) && !sesame.matches([]))
        let pencil = try #require(SecretHash(Self.pencil))
        #expect(pencil.matches(Array("pencil".utf8)) && !pencil.matches(Array("pencils".utf8)))
        #expect(!pencil.matches(Array(repeating: 0x78, count: 10_000)))
        #expect(pencil.isSlow && !sesame.isSlow)
    }

    @Test(
        "What is no hash is none",
        arguments: [
            "", "#", "sesame", "#" + String(repeating: "g", count: 64), String(repeating: "a", count: 63),
            "SCRAM-SHA-256$0:c2FsdA==$AAAA:AAAA", "SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA", "SCRAM-SHA-256$4096:$:",
            "SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:x",
        ])
    func malformed(_ text: String) {
        #expect(SecretHash(text) == nil)
    }

    @Test("Logins: the right secret of the right name, any of several, and no other")
    func logins() throws {
        let secrets = [try #require(SecretHash.sesame), try #require(SecretHash(Self.pencil))]
        let accounts = Accounts([
            .init(account: .reader, secrets: secrets), .init(account: .writer, secrets: []),
        ])
        func login(_ name: String, _ secret: String) -> Account? {
            accounts.account(for: Login(name: name, secret: Array(secret.utf8)))
        }
        #expect(login("pulse", "sesame") == .reader && login("pulse", "pencil") == .reader)
        #expect(login("pulse", "") == nil && login("gws", "sesame") == nil && login("nobody", "sesame") == nil)
        #expect(accounts.hasSlowSecrets)
    }

    @Test("Names that there are not are as slow to check as the slowest secret")
    func decoy() throws {
        let slow = Self.pencil.replacing("$4096:", with: "$50000:")
        let entries = [Self.pencil, slow].enumerated().compactMap { index, text in
            SecretHash(text).map { Accounts.Entry(account: index == 0 ? .reader : .writer, secrets: [$0]) }
        }
        #expect(entries.count == 2 && Accounts(entries).decoyIterations == 50_000)
        #expect(Accounts([.init(account: .reader, secrets: [])]).decoyIterations == nil)
    }

    @Test("Tenants and permissions")
    func rights() {
        #expect(
            Account.reader.sees(tenant: 101) && !Account.reader.sees(tenant: 102) && Account.writer.sees(tenant: 102))
        #expect(Account.reader.may(.read) && Account.reader.may(nil) && !Account.reader.may(.control))
    }

    @Test("Neither secrets nor their hashes are printed")
    func canary() throws {
        let login = Login(name: "canary-name", secret: Array("canary".utf8))
        let hash = try #require(SecretHash.sesame)
        for text in ["\(login)", String(reflecting: login), "\(hash)", String(reflecting: [hash])] {
            #expect(!text.contains("canary") && !text.contains("d0c0") && !text.contains("208"))
        }
    }
}
