import PuckBase
import PuckWire

/// What the puck's runtime does with the effects about sound, and what a person hears of it.
struct Loudspeaker {
    /// A play of one run of the hub: numbers start over when it starts over.
    struct PlayKey: Hashable { var run: Int, playID: UInt32 }

    private struct Lane {
        let play: PlayKey
        /// The packet with which it began.
        let base: Int
        var packets = 0
        /// Samples since its start.
        var heard: Int64 = 0
        var isFinishing = false
        var isCollecting = true

        var waiting: Int64 { Int64(packets * WireLimits.samplesPerPacket) - heard }
    }
    enum Report { case nothing, advanced(Int64), starved, drained }

    private var active: Lane?
    private var paused: Lane?
    private var delaySamples: Int64 = 0
    /// Samples of each play that were heard, in one piece from its beginning.
    private(set) var heard: [PlayKey: Int64] = [:]

    var isBusy: Bool { active != nil }

    mutating func start(_ play: PlayKey, resumedAtMilliseconds: Int, delayMilliseconds: Int) {
        let base = resumedAtMilliseconds / WireLimits.packetMilliseconds
        promise(resumedAtMilliseconds % WireLimits.packetMilliseconds == 0, "a start within a packet")
        promise(
            Int64(base * WireLimits.samplesPerPacket) <= heard[play, default: 0],
            "\(play) starts at packet \(base), \(heard[play, default: 0]) samples were heard: there is a hole")
        active = Lane(play: play, base: base)
        delaySamples = Int64(delayMilliseconds * WireLimits.sampleRate / 1000)
    }

    mutating func take(_ play: PlayKey, packet: Int) {
        guard let lane = active else { return promise(false, "a packet for an empty lane") }
        promise(lane.play == play, "a packet of \(play) in the lane of \(lane.play)")
        promise(lane.base + lane.packets == packet, "packet \(packet) of \(play) follows \(lane.base + lane.packets)")
        promise(!lane.isFinishing, "a packet after the end of \(play)")
        active?.packets += 1
        // The hub's 2 s, and what it could not know was heard (a report every 200 ms, and its way).
        promise(active!.waiting <= 40_000 + 320, "\(active!.waiting) samples wait")
    }

    mutating func setDelay(milliseconds: Int) { delaySamples = Int64(milliseconds * WireLimits.sampleRate / 1000) }
    mutating func finish() {
        promise(active != nil, "nothing plays that could be finished")
        active?.isFinishing = true
    }
    mutating func stop() { active = nil }
    mutating func pause() {
        promise(active != nil, "nothing plays that could be paused")
        paused = active
        active = nil
    }
    mutating func resume() {
        promise(paused != nil, "nothing is paused that could go on")
        active = paused
        paused = nil
    }
    mutating func dropPaused() { paused = nil }

    /// So much time passes.
    mutating func play(milliseconds: Int) -> Report {
        guard var lane = active else { return .nothing }
        if lane.isCollecting, !lane.isFinishing, lane.waiting < max(delaySamples, 1) { return .nothing }
        lane.isCollecting = false
        let count = min(lane.waiting, Int64(16 * milliseconds))
        lane.heard += count
        active = lane
        let position = Int64(lane.base * WireLimits.samplesPerPacket) + lane.heard
        heard[lane.play] = max(position, heard[lane.play, default: 0])
        if count > 0 { return .advanced(lane.heard) }
        if lane.isFinishing {
            active = nil
            return .drained
        }
        active?.isCollecting = true
        return .starved
    }
}
