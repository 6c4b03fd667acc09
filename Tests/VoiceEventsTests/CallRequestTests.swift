import Testing
import VoiceEvents

@Suite("Requests to the voice front end") struct CallRequestTests {
    @Test("what is written is read the same")
    func readsWhatItWrites() throws {
        var request = CallRequest(.make, at: "10\"01")
        request.otherDN = "1002"
        request.callType = .outbound
        request.userData = #"{"a":{"b":[1,null]},"ü":"\u00e9"}"#
        var everything = CallRequest(.complete, at: "1001")
        everything.connID = "M"
        everything.transferConnID = "C"
        everything.agentID = "A17"
        everything.thisQueue = "9001"
        everything.workMode = .auxWork
        everything.digits = "12#*,AD"
        everything.reason = "Lunch \"late\"\n"
        for request in [request, everything, CallRequest(.logout, at: "1001")] {
            let data = Array(request.data.utf8)
            try JSONObject.check(data.span)
            #expect(CallRequest(request: request.kind.rawValue, data: request.data) == request)
        }
        #expect(request.key == "10\"01")
        #expect(everything.key == "M")
    }

    @Test(
        "what is no request is none",
        arguments: [
            ("CALL.MAKE", "{}"), ("CALL.MAKE", ""), ("CALL.MAKE", #"{"ThisDN":["1"]}"#),
            ("call.make", #"{"ThisDN":"1"}"#), ("CALL.JUMP", #"{"ThisDN":"1"}"#),
        ])
    func refuses(request: String, data: String) {
        #expect(CallRequest(request: request, data: data) == nil)
    }

    @Test("digits and reasons of another shape are not read")
    func passesOver() {
        let data = #"{"ThisDN":"1","Extensions":{"Digits":12},"Reasons":{"Other":"x"}}"#
        #expect(CallRequest(request: "CALL.DTMF", data: data) == CallRequest(.sendDTMF, at: "1"))
    }

    @Test(
        "one object is JSON enough",
        arguments: [#"{}"#, #" {"a":1} "#, #"{"a":{"b":[true,null,-1.5e3,"\u00fc"]}}"#, "{\"\u{1F600}\":\"ü\"}"])
    func accepts(text: String) throws {
        let bytes = Array(text.utf8)
        try JSONObject.check(bytes.span)
    }

    @Test(
        "anything else is not",
        arguments: [
            "", " ", "1", "[]", "\"a\"", "null", "{", "{}}", "{} {}", "{\"a\"}", "{a:1}", "{\"a\":01}", "{\"a\":1,}",
            "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}",
            "{\"a\":" + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "}",
        ])
    func refusesJSON(text: String) {
        let bytes = Array(text.utf8)
        #expect(throws: VoiceEventError.self) { try JSONObject.check(bytes.span) }
    }

    @Test("an object of bytes that are no UTF-8 is refused")
    func refusesInvalidText() {
        let bytes = Array(#"{"a":""#.utf8) + [0xff, 0xfe] + Array(#""}"#.utf8)
        #expect(throws: VoiceEventError.invalidText(offset: 0)) { try JSONObject.check(bytes.span) }
    }
}
