import Credentials
import PuckBase
import PuckWire

@testable import Joining

/// What is said while a puck is paired, by strangers to either side: what is accepted comes back equal.
func fuzzPairing(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= WireLimits.payloadBytes else { return }
    do throws(WireError) {
        let request = try PairingRequest.parse(bytes)
        trace("\(request)")
        let again = parse(request.payload()) { (payload) throws(WireError) in try PairingRequest.parse(payload) }
        promise(again == .success(request), "\(request) came back as \(again)")
    } catch { refused(error) }
    do throws(WireError) {
        let reply = try PairingReply.parse(bytes)
        trace("\(reply)")
        let again = parse(reply.payload()) { (payload) throws(WireError) in try PairingReply.parse(payload) }
        promise(again == .success(reply), "\(reply) came back as \(again)")
        if case .done(let pairing) = reply { keep(pairing) }
    } catch { refused(error) }
}

private func refused(_ error: WireError) {
    trace("\(error)")
    promise(error.code == .badControl || error.code == .version, "\(error) is no fault of a message of pairing")
}

/// It becomes a configuration file: one value a line, and nothing that is a section or a key of its own.
private func keep(_ pairing: Pairing) {
    for word in [pairing.puckID, pairing.room ?? "room", pairing.token] {
        promise(!word.isEmpty && word.utf8.allSatisfy { (0x21...0x7E).contains($0) }, "\(word) in a file")
    }
}

/// What a person types to pair, and what mDNS tells, through Avahi's program.
func fuzzJoining(_ bytes: UnsafeRawBufferPointer) {
    let text = String(decoding: bytes, as: UTF8.self)
    switch JoinSecret(text) {
    case .code(let code): promise(code.utf8.count == PairingSecret.codeDigits, "\(code) is a code")
    case .line(let line):
        trace("\(line)")
        promise(line.port > 0 && JoinLine.isHost(line.host), "\(line) is nowhere")
        promise(JoinLine(line.text) == line, "\(line) came back as \(String(describing: JoinLine(line.text)))")
    case nil: break
    }
    for hub in HubFinder.parse(text) {
        trace("\(hub)")
        promise(hub.port > 0 && JoinLine.isHost(hub.host) && JoinLine.isHost(hub.address), "\(hub) is nowhere")
        promise(hub.name.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "\(hub.name) on a terminal")
    }
}
