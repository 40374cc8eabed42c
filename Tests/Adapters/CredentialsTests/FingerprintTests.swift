import Credentials
import Testing

@Suite("Fingerprints in two spellings")
struct FingerprintTests {
    @Test("64 hexadecimal digits become the 43 characters of a join line, and nothing else does")
    func spelling() {
        let zeros = PeerCertificate.shortFingerprint(hexadecimal: String(repeating: "0", count: 64))
        #expect(zeros == String(repeating: "A", count: 43))
        // SHA-256 of three bytes, "abc" (FIPS 180-2, B.1), and its base64url form.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        let der = PeerCertificate(der: Array("abc".utf8))
        #expect(PeerCertificate.shortFingerprint(hexadecimal: known) == der.shortFingerprint)
        for text in ["", "0", String(repeating: "0", count: 63), String(repeating: "g", count: 64)] {
            #expect(PeerCertificate.shortFingerprint(hexadecimal: text) == nil)
        }
    }
}
