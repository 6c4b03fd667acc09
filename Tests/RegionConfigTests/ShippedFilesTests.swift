import RegionConfig
import Testing

@Suite("The region files that ship")
struct ShippedFilesTests {
    private let regions: [Region]
    private let folder: String

    init() throws {
        folder = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions"
        regions = [
            try RegionFile.load(folder + "/us-east.yaml", environment: [:]),
            try RegionFile.load(folder + "/eu-west.yaml", environment: [:]),
        ]
    }

    @Test("stand side by side on one host: no port is used twice")
    func ports() {
        let ports = regions.flatMap { region in
            [region.redis.address.port, region.admin.port] + region.listeners.opened.map(\.listener.address.port)
        }
        #expect(ports.count == 16)
        #expect(Set(ports).count == ports.count)
    }

    @Test("name each other as peers, at each other's Redis")
    func peers() throws {
        #expect(regions[0].peers.map(\.region) == [regions[1].name])
        #expect(regions[1].peers.map(\.region) == [regions[0].name])
        #expect(regions[0].peers.map(\.redis.address) == [regions[1].redis.address])
        #expect(regions[1].peers.map(\.redis.address) == [regions[0].redis.address])
    }

    @Test("share one catalog, with every table of the domain, and hide the password hashes")
    func catalog() throws {
        #expect(regions[0].catalog == regions[1].catalog)
        #expect(
            Set(regions[0].catalog.tables.map(\.type)) == [
                "tenant", "switch", "dn", "person", "place", "skill", "person_skill", "agent_login", "agent_group",
                "agent_group_member", "place_group", "place_group_member", "dn_group", "dn_group_member", "campaign",
                "campaign_group", "calling_list", "treatment", "role", "folder", "transaction", "time_zone",
            ])
        let person = try #require(regions[0].catalog[type: "person"])
        #expect(person.omit == ["password_hash"])
        #expect(person.identity == ["tenant_dbid", "dbid"])
        #expect(regions[0].catalog[type: "tenant"]?.identity == ["dbid"])
    }
}
