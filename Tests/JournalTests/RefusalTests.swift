import Journal
import Testing

@Suite("What a refused write says")
struct RefusalTests {
    @Test(
        "in words for people, a server's own as they came",
        arguments: [
            (Refusal(code: "OOM", message: "command not allowed"), "OOM command not allowed"),
            (Refusal(code: "CURSOR", message: "5-3"), "the journal ends at 5-3, and not where the batch begins"),
            (Refusal(code: "FENCED", message: ""), "the journal was closed or born again"),
            (Refusal(code: "FORKED", message: ""), "somebody else wrote to the journal"),
            (Refusal(code: "WRONGTYPE", message: "no stream"), "unexpected answer: WRONGTYPE no stream"),
        ])
    func words(refusal: Refusal, text: String) {
        #expect("\(refusal)" == text)
    }
}
