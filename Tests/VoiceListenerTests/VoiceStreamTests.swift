import Journal
import Testing

@testable import VoiceListener

@Suite
struct VoiceStreamTests {
    @Test
    func readsTenantAndRegion() {
        #expect(VoiceStream("voice:101@us-east")?.tenant == "101")
        #expect(VoiceStream("voice:101@us-east")?.region == "us-east")
        #expect(VoiceStream("voice:Acme")?.region == nil)
        #expect(VoiceStream("voice:a@b@eu-west")?.tenant == "a@b")
        let here = VoiceStream("voice:Acme")?.journal(tenant: 7, here: "us-east")
        #expect(here == .voice(tenant: "7", origin: "us-east"))
        let there = VoiceStream("voice:Acme@eu-west")?.journal(tenant: 7, here: "us-east")
        #expect(there == .voice(tenant: "7", origin: "eu-west"))
    }

    @Test(arguments: ["", "voice", "voice:", "voice:@x", "voice:1@", "config:1"])
    func refusesWhatNamesNone(text: String) {
        #expect(VoiceStream(text) == nil)
    }
}
