import Testing
import VoiceEvents

@Suite("Voice events: an entry's fields as a value")
struct VoiceEventTests {
    @Test("every attribute of a call's event is read")
    func reads() throws {
        let event = try VoiceEvent(fields: fields("EventRinging", "006a02c1d5f1b00e", ringingData))
        #expect(event.name == .ringing)
        #expect(event.subject == .call(connID: "006a02c1d5f1b00e"))
        #expect(event.id == "us-east-1763800000000000-41")
        #expect(event.server == "us-east")
        #expect(event.thisDN == "1001")
        #expect(event.time == 1_763_800_001_000_000)
        #expect(event.serverStartTime == 1_763_800_000_000_000)
        #expect(event.eventSequenceNumber == 41)
        #expect(event.callID == 17)
        #expect(event.callState == .ok)
        #expect(event.callType == .inbound)
        #expect(event.thisDNRole == .destination)
        #expect(event.otherDNRole == .origination)
        #expect(event.thisQueue == "9001")
        #expect(event.ani == "+14155550100")
        #expect(event.dnis == "8005550199")
        #expect(event.agentID == "A17")
        #expect(event.userData == #"{"name":"J\u00fcrgen","order":[1,2,{"a":null}]}"#)
        #expect(event.reasons == nil)
        #expect(event.mediaType == 0)
    }

    @Test("what is written is read back the same")
    func roundTrip() throws {
        let event = try VoiceEvent(fields: fields("EventRinging", "006a02c1d5f1b00e", ringingData))
        #expect(try VoiceEvent(fields: event.fields) == event)
        var odd = VoiceEvent(.userEvent, key: "\u{1F4DE} \"quoted\"\\")
        odd.errorMessage = "tab\tline\nnull\0quote\"slash\\ é \u{1F600}"
        odd.extensions = "[true,-0.5e+3]"
        odd.cause = .min
        odd.referenceID = .max
        #expect(try VoiceEvent(fields: odd.fields) == odd)
    }

    @Test("numbers may be quoted, IDs may be numbers, null is absent, unknown attributes and spaces are passed over")
    func lenient() throws {
        let data = """
             { "ThisDN" : 1001 , "CallType":"2","Foo":{"CallType":4},"ANI":null, "UserData":null,\
            "time":"-5","CallID":1e3x }
            """.replacing("1e3x", with: "7")
        let event = try VoiceEvent(fields: fields("EventRinging", "c", data))
        #expect(event.thisDN == "1001")
        #expect(event.callType == .inbound)
        #expect(event.ani == nil)
        #expect(event.userData == nil)
        #expect(event.time == -5)
        #expect(event.callID == 7)
    }

    @Test("escapes, surrogate pairs and escaped names are undone")
    func escapes() throws {
        let data = #"{"\u0054hisDN":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#
        let event = try VoiceEvent(fields: fields("EventRinging", "c", data))
        #expect(event.thisDN == "a\"\\/\u{8}\u{c}\n\r\té\u{1F600}")
    }

    @Test(
        "what cannot be read is named",
        arguments: [
            ("EventRining", "c", #"{"ThisDN":"1"}"#, VoiceEventError.unknownEvent),
            ("eventRinging", "c", #"{"ThisDN":"1"}"#, .unknownEvent),
            ("", "c", #"{"ThisDN":"1"}"#, .unknownEvent),
            ("EventRinging", "", #"{"ThisDN":"1"}"#, .emptyKey),
            ("EventRinging", "c", "", .malformed(offset: 0)),
            ("EventRinging", "c", "[]", .malformed(offset: 0)),
            ("EventRinging", "c", #"{"ThisDN":"1"} x"#, .malformed(offset: 15)),
            ("EventRinging", "c", #"{"ThisDN":"1",}"#, .malformed(offset: 14)),
            ("EventRinging", "c", #"{"ThisDN":"\x"}"#, .malformed(offset: 11)),
            ("EventRinging", "c", #"{"ThisDN":"\ud83d"}"#, .invalidText(offset: 11)),
            ("EventRinging", "c", #"{"ThisDN":"1","UserData":{"a" 1}}"#, .malformed(offset: 30)),
            ("EventRinging", "c", #"{"ThisDN":"1","Cause":01}"#, .wrongType(.cause, offset: 22)),
            ("EventRinging", "c", #"{"ThisDN":{}}"#, .wrongType(.thisDN, offset: 10)),
            ("EventRinging", "c", #"{"ThisDN":"1","time":"now"}"#, .wrongType(.time, offset: 22)),
            ("EventRinging", "c", #"{"ThisDN":"1","time":9223372036854775808}"#, .wrongType(.time, offset: 21)),
            ("EventRinging", "c", #"{"ThisDN":"1","time":1.5}"#, .wrongType(.time, offset: 21)),
            ("EventRinging", "c", "{}", .missingAttribute(.thisDN)),
            ("EventRinging", "c", #"{"ThisDN":"1","ConnID":"d"}"#, .keyMismatch(.connID)),
            ("EventDialing", "c", #"{"ThisDN":"1","CallType":4}"#, .missingAttribute(.previousConnID)),
            ("EventAgentLogin", "a", "{}", .missingAttribute(.thisDN)),
            ("EventAgentLogin", "a", #"{"ThisDN":"1","AgentID":"b"}"#, .keyMismatch(.agentID)),
        ])
    func unreadable(_ name: String, _ key: String, _ data: String, _ error: VoiceEventError) {
        #expect(throws: error) { try VoiceEvent(fields: fields(name, key, data)) }
    }

    @Test("a missing field and too deep nesting are named")
    func shape() {
        for missing in ["event", "key", "data"] {
            let rest = fields("EventRinging", "c", "{}").filter { $0.0 != missing }
            #expect(throws: VoiceEventError.missingField(missing)) { try VoiceEvent(fields: rest) }
        }
        let deep = #"{"UserData":"# + String(repeating: "[", count: 100_000)
        #expect(throws: VoiceEventError.tooDeep(offset: 44)) {
            try VoiceEvent(fields: fields("EventRinging", "c", deep))
        }
    }

    @Test("data cut anywhere is refused")
    func cut() {
        let bytes = Array(ringingData.utf8)
        let (name, key) = (Array("EventRinging".utf8), Array("006a02c1d5f1b00e".utf8))
        for length in 0..<bytes.count {
            let part = Array(bytes[..<length])
            #expect(throws: VoiceEventError.self, "cut at \(length)") {
                try VoiceEvent(event: name.span, key: key.span, data: part.span)
            }
        }
    }

    @Test("any byte replaced by any of the telling ones is read or refused, never more")
    func flipped() {
        let bytes = Array(ringingData.utf8)
        let (name, key) = (Array("EventRinging".utf8), Array("006a02c1d5f1b00e".utf8))
        var refused = 0
        for index in bytes.indices {
            for byte: UInt8 in [0, 0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x2c, 0x3a, 0x2d, 0x30, 0x65, 0x6e, 0x80, 0xff] {
                var changed = bytes
                changed[index] = byte
                do {
                    _ = try VoiceEvent(event: name.span, key: key.span, data: changed.span)
                } catch {
                    refused += 1
                }
            }
        }
        #expect(refused > bytes.count)
    }

    @Test("each event's name leads back to it, and their numbers are domain.md's")
    func names() {
        for name in EventName.allCases {
            let bytes = Array(name.text.utf8)
            #expect(EventName(bytes.span) == name)
        }
        #expect(EventName.ringing.rawValue == 60)
        #expect(EventName.agentAfterCallWork.rawValue == 118)
        #expect(EventName.allCases.count == 36)
    }
}
