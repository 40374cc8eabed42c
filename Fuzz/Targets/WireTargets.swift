import PuckBase
import PuckWire

/// The message decoder: a header that is accepted says what the bytes say, and writes itself the same way; an error
/// message is told again as it was understood.
func fuzzMessage(_ bytes: UnsafeRawBufferPointer) {
    do throws(WireError) {
        let header = try MessageHeader.parse(bytes)
        trace("\(header)")
        promise(bytes.count <= WireLimits.messageBytes, "a message of \(bytes.count) bytes was accepted")
        promise(header.length == bytes.count - WireLimits.headerBytes, "the length is that of the payload")
        withUnsafeTemporaryAllocation(byteCount: WireLimits.headerBytes, alignment: 1) { written in
            header.write(to: written)
            promise(written.elementsEqual(bytes.prefix(WireLimits.headerBytes)), "a header is written as it was read")
        }
    } catch {
        trace("\(error)")
        promise(!error.detail.isEmpty, "a refusal says why")
    }
    tell(WireError.parse(payload: bytes))
    if bytes.count > WireLimits.headerBytes {
        tell(WireError.parse(payload: UnsafeRawBufferPointer(rebasing: bytes[WireLimits.headerBytes...])))
    }
}

private func tell(_ error: WireError) {
    let payload = error.payload()
    promise(payload.count <= 4 + 512, "an error message has at most 512 bytes of text, not \(payload.count - 4)")
    let again = payload.withUnsafeBytes { WireError.parse(payload: $0) }
    promise(again.code == error.code, "\(error) came back as \(again)")
    if error.detail.utf8.count <= 512 {
        promise(again == error, "\(error) came back as \(again)")
    } else {
        promise(error.detail.utf8.starts(with: again.detail.utf8), "a text that was cut is the beginning of the whole")
        promise(again.detail.utf8.count > 512 - 4, "no more is cut than one character")
    }
}

/// What a puck says, as the hub reads it.
func fuzzPuckControl(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= WireLimits.payloadBytes else { return }
    do throws(WireError) {
        let control = try PuckControl.parse(bytes)
        trace("\(control)")
        let again = parse(control.payload()) { (payload) throws(WireError) in try PuckControl.parse(payload) }
        promise(again == .success(control), "\(control) came back as \(again)")
    } catch {
        trace("\(error)")
        promise(error.code == .badControl || error.code == .version, "\(error) is no fault of a control message")
    }
}

/// What the hub says, as a puck reads it, inside the stream and outside it.
func fuzzHubControl(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= WireLimits.payloadBytes else { return }
    var accepted = 0
    for type in [MessageType.control, .streamControl] {
        do throws(WireError) {
            let control = try HubControl.parse(bytes, type: type)
            trace("\(type): \(control)")
            var isKnown = true
            if case .unknown = control { isKnown = false }
            accepted += isKnown ? 1 : 0
            promise(!isKnown || control.isStreamed == (type == .streamControl), "\(control) is in the wrong message")
            let again = parse(control.payload()) { (payload) throws(WireError) in
                try HubControl.parse(payload, type: type)
            }
            promise(again == .success(control), "\(control) came back as \(again)")
        } catch {
            trace("\(type): \(error)")
            promise(error.code == .badControl || error.code == .version, "\(error) is no fault of a control message")
        }
    }
    promise(accepted <= 1, "an operation belongs into one message type")
}

func parse<Control>(
    _ payload: [UInt8], _ body: (UnsafeRawBufferPointer) throws(WireError) -> Control
) -> Result<Control, WireError> {
    payload.withUnsafeBytes { bytes in
        do throws(WireError) {
            return .success(try body(bytes))
        } catch {
            return .failure(error)
        }
    }
}
