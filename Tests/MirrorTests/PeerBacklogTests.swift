import Journal
import Mirror
import Testing

@Suite("What a peer has and lacks")
struct PeerBacklogTests {
    @Test("copies at the end of their journals, behind it, and without some entries for good, are added up by topic")
    func sums() {
        var backlog = PeerBacklog()
        backlog.add(.voice, copied: 100, missed: 0, added: 100)
        backlog.add(.voice, copied: 40, missed: 5, added: 60)
        backlog.add(.voice, copied: 0, missed: 7, added: 7)
        backlog.add(.control, copied: 3, missed: 0, added: 4)
        #expect(backlog.lacking(.voice) == 15 && backlog.entries(.voice) == 155)
        #expect(backlog.lacking(.control) == 1 && backlog.entries(.control) == 4)
        #expect(backlog.lacking(.provisioning) == 0 && backlog.entries(.provisioning) == 0)
    }

    @Test("one journal that cannot be told makes its topic unknown, and no other", arguments: [true, false])
    func unknown(isFirst: Bool) {
        var backlog = PeerBacklog()
        if isFirst { backlog.addUnknown(.voice) }
        backlog.add(.voice, copied: 100, missed: 0, added: 120)
        backlog.add(.provisioning, copied: 9, missed: 0, added: 10)
        if !isFirst { backlog.addUnknown(.voice) }
        #expect(backlog.lacking(.voice) == nil && backlog.entries(.voice) == nil)
        #expect(backlog.lacking(.provisioning) == 1 && backlog.entries(.provisioning) == 10)
    }

    @Test("counts of garbage neither trap nor wrap")
    func garbage() {
        var backlog = PeerBacklog()
        backlog.add(.voice, copied: 10, missed: 0, added: 3)
        #expect(backlog.lacking(.voice) == 0 && backlog.entries(.voice) == 10)
        backlog.add(.voice, copied: .max, missed: .max, added: .max)
        backlog.add(.voice, copied: 1, missed: 0, added: .max)
        #expect(backlog.lacking(.voice) == .max - 1 && backlog.entries(.voice) == .max)
        backlog.add(.voice, copied: 0, missed: 0, added: 2)
        #expect(backlog.lacking(.voice) == .max)
    }
}
