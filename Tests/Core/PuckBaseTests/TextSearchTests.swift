import PuckBase
import Testing

@Suite("A part of a text")
struct TextSearchTests {
    @Test("a part is found wherever it stands, and nothing that is not there")
    func includes() {
        #expect("hw:CARD=Lite".includes("hw:"))
        #expect("plughw:CARD=Lite,DEV=0".includes("CARD="))
        #expect("a".includes("a") && "ab".includes("b") && "ab".includes(""))
        #expect(!"ab".includes("abc") && !"".includes("a") && !"aab".includes("ba"))
    }
}
