import HubCore
import PuckBase
import PuckWire

/// What is said to the hub, and what it says: utterances while they are heard, answers and plays as long as the machine
/// may want their packets. It keeps bytes and decides nothing; what an effect leads to is returned as an event.
final class HubSpeech<Outside: HubOutside> {
    private let outside: Outside
    private var turns: [String: Turn<Outside.Decoder>] = [:]
    /// What is played, or may have to be played again, by its number.
    private var answers: [UInt32: Answer<Outside.Encoder>] = [:]
    /// What `puckhub play` asks for, while the machine decides about it, and what it says.
    private var requested: Outside.Sound?
    private var reply = ""

    init(_ outside: Outside) { self.outside = outside }

    // MARK: Utterances

    func hear(
        _ conversationID: String, grantedAt: @autoclosure () -> Instant, _ type: MessageType,
        _ packet: UnsafeRawBufferPointer, now: Instant
    ) throws(WireError) {
        let turn = turns[conversationID] ?? Turn(id: conversationID, grantedAt: grantedAt())
        turns[conversationID] = turn
        try turn.hear(type, packet, now: now)
    }

    func answer(_ conversationID: String, _ playID: UInt32) -> HubEvent? {
        guard let turn = turns[conversationID] else { preconditionFailure("an answer follows an utterance") }
        record(turn)
        guard let sound = outside.answer(to: turn.takeUtterance(), conversationID: conversationID) else {
            return .answerReady(playID: playID, sizes: [], isComplete: true)
        }
        return encode(sound, name: conversationID, playID)
    }

    func forget(_ conversationID: String) {
        if let turn = turns.removeValue(forKey: conversationID) { record(turn) }
    }

    private func record(_ turn: Turn<Outside.Decoder>) {
        guard outside.isRecording, !turn.isRecorded, turn.hasHeard else { return }
        turn.isRecorded = true
        outside.record(heard: turn.heard, name: turn.id)
    }

    // MARK: Plays that somebody asks for

    /// Keeps `sound` while `ask` lets the machine decide about it.
    /// - Returns: what became of it.
    func request(_ sound: Outside.Sound, _ ask: () -> Void) -> String {
        requested = sound
        reply = ""
        ask()
        return reply
    }

    func preparePlay(_ playID: UInt32) -> HubEvent? {
        guard let sound = requested.take() else { preconditionFailure("a play is prepared while it is asked for") }
        reply = "play_id=\(playID)"
        return encode(sound, name: "p-\(playID)", playID)
    }

    func refusePlay(_ reason: String) {
        requested = nil
        reply = "error: \(reason)"
    }

    // MARK: Answers

    private func encode(_ sound: Outside.Sound, name: String, _ playID: UInt32) -> HubEvent? {
        guard let encoder = outside.makeEncoder(for: sound) else {
            return .answerFailed(playID: playID, reason: "the Opus encoder did not start")
        }
        answers[playID] = Answer(name: name, encoder)
        outside.encodeSoon(playID)
        return nil
    }

    /// Nil when nobody needs it any more.
    func encodeSlice(of playID: UInt32) -> HubEvent? {
        guard let answer = answers[playID] else { return nil }
        guard let sizes = answer.encodeSlice() else {
            return .answerFailed(playID: playID, reason: "the Opus encoder failed")
        }
        if !answer.isComplete { outside.encodeSoon(playID) }
        return .answerReady(playID: playID, sizes: sizes, isComplete: answer.isComplete)
    }

    /// Lends one packet that is to be sent.
    func withPacket(_ packet: Int, of playID: UInt32, _ send: (UnsafeRawBufferPointer) -> Void) {
        guard let answer = answers[playID] else {
            preconditionFailure("an answer that is being sent is kept until the machine forgets it")
        }
        answer.withPacket(packet, send)
        answer.sentPackets = max(answer.sentPackets, packet + 1)
        if answer.isComplete, answer.sentPackets == answer.packetCount { record(answer) }
    }

    func forgetAnswer(_ playID: UInt32) {
        if let answer = answers.removeValue(forKey: playID) { record(answer) }
    }

    private func record(_ answer: Answer<Outside.Encoder>) {
        guard outside.isRecording, !answer.isRecorded, answer.sentPackets > 0 else { return }
        answer.isRecorded = true
        outside.record(sent: answer)
    }
}
