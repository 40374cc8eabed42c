import HubCore
import LinkTransport
import LinuxIO
import OpusCodec
import PuckBase
import PuckWire

// What goes in and out of the machine: messages to events, effects to messages.

extension HubDaemon {
    func received(_ id: HubCore.ConnectionID, _ message: UnsafeRawBufferPointer) {
        do throws(WireError) {
            let header = try MessageHeader.parse(message)
            let payload = UnsafeRawBufferPointer(rebasing: message[WireLimits.headerBytes...])
            switch header.type {
            case .control:
                let control = try PuckControl.parse(payload)
                process(.received(id, control))
                if case .hello(let hello) = control { greeted(id, hello) }
                if case .trusts = control, let name = hub.puck(of: id) { noteTrust(name) }
            case .uplinkOpus, .uplinkPCM, .downlinkOpus, .downlinkPCM:
                currentAudio = (header.type, payload)
                process(.receivedAudio(id, header.type, header.sequence, byteCount: payload.count))
                currentAudio = nil
            case .streamControl:
                throw WireError(.unexpected, "message type 194 goes from the hub to the puck only")
            case .error:
                process(.receivedError(id, WireError.parse(payload: payload)))
            }
        } catch {
            process(.receivedMalformed(id, error))
        }
    }

    func run(_ effect: HubEffect, now: Instant) {
        switch effect {
        case .send(let id, let control, let sequence):
            let type: MessageType = control.isStreamed ? .streamControl : .control
            control.payload().withUnsafeBytes { send(id, type, sequence, $0, now: now) }
        case .sendAudio(let id, let playID, let packet, let sequence):
            sendAudio(id, playID, packet, sequence, now: now)
        case .fail(let id, let error):
            error.payload().withUnsafeBytes { send(id, .error, .zero, $0, now: now) }
            link.close(LinkTransport.ConnectionID(id.number), code: CloseCode.policyViolation, reason: error.code.name)
        case .close(let id, let reason):
            link.close(LinkTransport.ConnectionID(id.number), code: CloseCode.goingAway, reason: reason)
        case .hear(let conversationID):
            hear(conversationID, now: now)
        case .answer(let conversationID, let playID):
            answer(conversationID, playID)
        case .forget(let conversationID):
            if let turn = turns.removeValue(forKey: conversationID) { recordHeard(turn) }
        case .preparePlay(let request, let playID):
            preparePlay(request, playID)
        case .refusePlay(_, let reason):
            requestedPlay = nil
            playReply = "error: \(reason)"
        case .forgetAnswer(let playID):
            forgetAnswer(playID)
        case .log(let record):
            log.write(record)
        }
    }

    private func send(
        _ id: HubCore.ConnectionID, _ type: MessageType, _ sequence: SerialNumber, _ payload: UnsafeRawBufferPointer,
        now: Instant
    ) {
        let header = MessageHeader(
            type: type, sequence: sequence, timestampMilliseconds: now.wireMilliseconds, length: payload.count)
        let connection = LinkTransport.ConnectionID(id.number)
        let isQueued = withUnsafeTemporaryAllocation(byteCount: WireLimits.headerBytes, alignment: 1) { head in
            header.write(to: head)
            return link.send(to: connection, head: UnsafeRawBufferPointer(head), body: payload)
        }
        if isQueued { return }
        // A full queue (64 KiB): drop the connection rather than memory. A closed one has none.
        let reason = link.queuedBytes(of: connection) > 0 ? "its send queue is full: it does not read" : "it is closed"
        link.disconnect(connection)
        followUps.append(.connectionClosed(id, reason: reason))
    }

    private func sendAudio(
        _ id: HubCore.ConnectionID, _ playID: UInt32, _ packet: Int, _ sequence: SerialNumber, now: Instant
    ) {
        guard let answer = answers[playID] else {
            preconditionFailure("an answer that is being sent is kept until the machine forgets it")
        }
        answer.withPacket(packet) { send(id, .downlinkOpus, sequence, $0, now: now) }
        answer.sentPackets = max(answer.sentPackets, packet + 1)
        if answer.isComplete, answer.sentPackets == answer.packetCount { recordSent(answer) }
    }

    // MARK: Utterance and answer

    private func hear(_ conversationID: String, now: Instant) {
        guard let currentAudio else { preconditionFailure("audio is heard while its message is handled") }
        let turn = turns[conversationID] ?? Turn(id: conversationID)
        turns[conversationID] = turn
        do throws(WireError) {
            try turn.hear(currentAudio.type, currentAudio.bytes, now: now)
        } catch {
            guard let connection = hub.connection(of: conversationID) else { return }
            followUps.append(.receivedMalformed(connection, error))
        }
    }

    private func answer(_ conversationID: String, _ playID: UInt32) {
        guard let turn = turns[conversationID] else { preconditionFailure("an answer follows an utterance") }
        recordHeard(turn)
        let utterance = turn.takeUtterance()
        let samples = responder.answer(to: utterance) ?? []
        if case .echo = responder, samples.count < utterance.count {
            log.notice(
                "answer.cut",
                [
                    Field("conversation", conversationID),
                    Field("limit_s", Responder.longestAnswerSamples / WireLimits.sampleRate),
                ])
        }
        if samples.isEmpty {
            followUps.append(.answerReady(playID: playID, sizes: [], isComplete: true))
            return
        }
        encode(samples, name: conversationID, playID)
    }

    private func preparePlay(_ request: UInt32, _ playID: UInt32) {
        guard let samples = requestedPlay else { preconditionFailure("a play is prepared while it is asked for") }
        requestedPlay = nil
        playReply = "play_id=\(playID)"
        encode(samples, name: "p-\(playID)", playID)
    }

    private func encode(_ samples: [Int16], name: String, _ playID: UInt32) {
        do throws(CodecError) {
            let answer = try Answer(
                name: name, playID: playID, samples: samples, bitsPerSecond: settings.downlink.bitsPerSecond,
                complexity: settings.downlink.complexity)
            answers[playID] = answer
            encoding.append(answer)
            encodingWork.signal()
        } catch {
            followUps.append(.answerFailed(playID: playID, reason: "the Opus encoder did not start"))
        }
    }

    /// One slice of the answer that waits longest, then the loop has its turn.
    func encodeSlice() {
        _ = encodingWork.drain()
        guard !encoding.isEmpty else { return }
        let answer = encoding.removeFirst()
        do throws(CodecError) {
            let sizes = try answer.encodeSlice()
            if !answer.isComplete { encoding.append(answer) }
            process(.answerReady(playID: answer.playID, sizes: sizes, isComplete: answer.isComplete))
        } catch {
            process(.answerFailed(playID: answer.playID, reason: "the Opus encoder failed"))
        }
        if !encoding.isEmpty { encodingWork.signal() }
    }

    private func forgetAnswer(_ playID: UInt32) {
        guard let answer = answers.removeValue(forKey: playID) else { return }
        encoding.removeAll { $0.playID == playID }
        recordSent(answer)
    }

    private func recordHeard(_ turn: Turn) {
        do throws(SystemError) {
            try Recording(folder: settings.recordFolder).writeHeard(turn)
        } catch {
            noteUnrecorded(error)
        }
    }

    private func recordSent(_ answer: Answer) {
        do throws(SystemError) {
            try Recording(folder: settings.recordFolder).writeSent(answer)
        } catch {
            noteUnrecorded(error)
        }
    }

    private func noteUnrecorded(_ error: SystemError) {
        guard unrecorded.take(error.description, now: MonotonicClock.now()) != nil else { return }
        log.warning("record.failed", [Field("problem", error.description)])
    }
}
