import ALSADevice
import AudioRing
import PuckAudio
import PuckBase
import Synchronization

/// Looks at what an open microphone delivers, beside the way of its samples: what `MicrophoneHealth` and `ChannelSurvey`
/// need to know, in the capture thread's real-time loop. Plain values only.
struct CaptureInspection {
    /// A room at this level has no peaks at the converter's limit: only a louder period is searched for them.
    static var peakLevelDecibels: Float { @_noLocks @_noAllocation get { -25 } }
    /// An offset of half of full scale leaves little room for peaks: then every period is searched.
    static var headroomOffset: Int32 { @_noLocks @_noAllocation get { 0x4000_0000 } }

    let stream: CaptureStream
    let channel: ChannelChoice
    /// Whether the samples are changed after the converter, by more than unity.
    let isAmplified: Bool
    private var health: MicrophoneHealth
    private(set) var survey: ChannelSurvey

    init(stream: CaptureStream, format: NegotiatedFormat, capture: CaptureSettings, previous: ChannelSurvey.Signature) {
        self.stream = stream
        channel = capture.channelChoice(of: format.channels)
        isAmplified = capture.gainFactor > unityGain
        health = MicrophoneHealth(rate: format.rate)
        survey = ChannelSurvey(
            rate: format.rate, channels: format.channels, heard: channel.number, previous: previous)
    }

    /// Looks at one period.
    /// - Parameter samples: what became of it, before it was resampled.
    /// - Returns: whether the loop has something to read.
    @_noLocks @_noAllocation
    mutating func look(
        _ samples: UnsafeBufferPointer<Int16>, frames: Int, intake: borrowing CaptureIntake
    ) -> Bool {
        let offset = stream.offset
        var atLimit = 0
        var overdriven = 0
        let isLoud = intake.levelDecibels > Self.peakLevelDecibels
        if isLoud || offset > Self.headroomOffset || offset < 0 &- Self.headroomOffset {
            atLimit = samplesAtLimit(frames)
            if isAmplified { overdriven = PuckAudio.samplesAtLimit(samples) }
        }
        if survey.isDue(frames: frames) {
            var c = 0
            while c < stream.channels {
                let found = stream.measure(frames: frames, channel: c)
                survey.add(channel: c, frames: found.frames, sum: found.sum, sumOfSquares: found.sumOfSquares)
                c &+= 1
            }
            survey.endPeriod()
        }
        let changed = health.take(
            frames: frames, offset: offset, atLimit: atLimit, overdriven: overdriven, isQuiet: intake.hearsTooLittle,
            channels: survey.flaws)
        let words = intake.controls.words
        words.pointee.offset.store(Int(offset), ordering: .relaxed)
        if !changed { return false }
        words.pointee.loudestChannel.store(survey.loudest, ordering: .relaxed)
        words.pointee.movedBy.store(survey.movedBy, ordering: .relaxed)
        words.pointee.flaws.store(Int(health.flaws.rawValue), ordering: .releasing)
        _ = intake.mailbox.post(AudioEvent(.microphoneJudged, position: intake.producer.position))
        return true
    }

    @_noLocks @_noAllocation
    private func samplesAtLimit(_ frames: Int) -> Int {
        let heard = channel.number
        if heard >= 0 { return stream.measure(frames: frames, channel: heard).atLimit }
        var most = 0
        var c = 0
        while c < stream.channels {
            most = max(most, stream.measure(frames: frames, channel: c).atLimit)
            c &+= 1
        }
        return most
    }
}

/// What is known of the microphone that works, for people: from the capture thread's words. Loop thread.
struct MicrophoneReport {
    let flaws: MicrophoneFlaws
    /// dB relative to full scale; −90 when there is none, or when it is left in.
    let offsetDecibels: Double
    private let loudestChannel: Int
    private let movedBy: Int

    init(_ controls: CaptureControls) {
        let words = controls.words
        flaws = MicrophoneFlaws(rawValue: UInt8(truncatingIfNeeded: words.pointee.flaws.load(ordering: .acquiring)))
        let offset = Float(words.pointee.offset.load(ordering: .relaxed)) / 2_147_483_648
        offsetDecibels = Double(Level.decibels(amplitude: offset))
        loudestChannel = words.pointee.loudestChannel.load(ordering: .relaxed)
        movedBy = words.pointee.movedBy.load(ordering: .relaxed)
    }

    /// Such as "offset,quiet"; "ok" when there is none.
    var names: String {
        var text = ""
        for (flaw, name) in Self.all where flaws.contains(flaw) { text += (text.isEmpty ? "" : ",") + name }
        return text.isEmpty ? "ok" : text
    }

    private static let all: [(MicrophoneFlaws, String)] = [
        (.offset, "offset"), (.quiet, "quiet"), (.clipping, "clipping"), (.overdriven, "overdriven"),
        (.silentChannel, "silent-channel"), (.movedChannels, "moved-channels"),
    ]

    /// What each flaw is and what helps, in sentences; empty when there is none.
    var advice: String {
        var text = ""
        func say(_ flaw: MicrophoneFlaws, _ sentence: String) {
            if flaws.contains(flaw) { text += (text.isEmpty ? "" : " ") + sentence }
        }
        say(.offset, Self.offset(offsetDecibels))
        say(.quiet, Self.quiet)
        say(.clipping, Self.clipping)
        say(.overdriven, Self.overdriven)
        say(
            .silentChannel,
            "The channel that is heard is silent, and channel \(loudestChannel) carries sound: set [capture] channel = "
                + "\(loudestChannel), or mix.")
        say(
            .movedChannels,
            "The channels came in another order than at the last opening, moved up by \(movedBy): [capture] channel "
                + "names another microphone now. Set channel = mix, or restart the card's driver.")
        return text
    }

    static func offset(_ decibels: Double) -> String {
        "A constant offset of \(fixed(decibels, 1)) dBFS: it is taken out ([capture] remove_offset), and costs headroom"
            + (decibels > -6 ? ", nearly all of it: look at the microphone's supply and wiring." : ".")
    }

    static let quiet =
        "Speech is too quiet: raise the card's capture volume in [mixer] ('amixer controls' shows its controls), or "
        + "[capture] gain_db."

    static let overdriven = "[capture] gain_db drives loud sounds beyond full scale: lower it."

    static let clipping =
        "Loud sounds are clipped by the converter: lower the card's capture volume or boost in [mixer]."
}
