import Foundation
import PuckBase

/// One thing that has to be so.
struct Check: Equatable {
    var title: String
    var passed: Bool
    /// What was found, with its bound.
    var finding: String
}

/// What the microphones heard, the hub decoded and sent, and the loudspeakers played.
struct Recordings {
    var microphones: [String: RoomMix]
    var speakers: [String: [Int16]]
    /// Nil when the hub recorded none.
    var heard: [Int16]?
    var sent: [Int16]?
}

enum Verdict {
    /// Over 56 utterances (10 sentences, 5 voices of espeak-ng, 24 kbit/s VOIP, complexity 5) libopus 1.3.1 gave 8.5 to
    /// 13.4 dB by this measure, the wrong sentence at most −0.8 dB.
    static let leastSegmentalSNR = 6.0
    /// The worst 20 ms of speech of those 56 had 0.6 dB; a lost packet that was concealed has about −7 dB.
    static let leastWorstSNR = -3.0

    /// - Parameter inEarshot: the pucks that can hear the sentence.
    static func checks(_ course: Course, _ recordings: Recordings, inEarshot: [String]) -> [Check] {
        [
            talkWokeNobody(course), oneGrant(course), othersCancelled(course, inEarshot),
            darkOutOfEarshot(course, inEarshot), nearestWon(course), heardIsSaid(course, recordings),
            heardWhole(course, recordings), playedIsSent(course, recordings), othersSilent(course, recordings),
        ]
    }

    /// By when a candidate is reported: the word is heard at its end.
    private static func talkWokeNobody(_ course: Course) -> Check {
        let early = course.happenings.filter {
            if case .candidate = $0.event { course.seconds(of: $0) < 0 } else { false }
        }
        return Check(
            title: "talk without the wake word woke nobody", passed: early.isEmpty,
            finding: early.map { "\($0.source) at \(fixed(course.seconds(of: $0), 1)) s" }.joined(separator: ", "))
    }

    private static func darkOutOfEarshot(_ course: Course, _ inEarshot: [String]) -> Check {
        let others = course.pucks.filter { !inEarshot.contains($0) }
        let lit = course.happenings.filter {
            guard others.contains($0.source) else { return false }
            switch $0.event {
            case .candidate, .granted, .lights("candidate"), .lights("listening"), .lights("speaking"): return true
            default: return false
            }
        }
        return Check(
            title: "who did not hear it stayed dark", passed: lit.isEmpty,
            finding: lit.isEmpty ? others.joined(separator: ", ") : lit.map { $0.source }.joined(separator: ", "))
    }

    private static func oneGrant(_ course: Course) -> Check {
        Check(
            title: "exactly one grant", passed: course.grants.count == 1,
            finding: course.grants.isEmpty ? "nobody was granted" : course.grants.joined(separator: ", "))
    }

    private static func othersCancelled(_ course: Course, _ inEarshot: [String]) -> Check {
        let others = inEarshot.filter { $0 != course.winner }
        let words = others.map { "\($0): \(course.wasCancelled($0) ? course.verdict($0) ?? "?" : "not cancelled")" }
        return Check(
            title: "the others were cancelled", passed: course.winner != nil && others.allSatisfy(course.wasCancelled),
            finding: words.joined(separator: ", "))
    }

    private static func nearestWon(_ course: Course) -> Check {
        let ratios = course.pucks.compactMap { puck in course.snr(puck).map { (puck, $0) } }
        let best = ratios.max { $0.1 < $1.1 }
        return Check(
            title: "the best signal won", passed: best != nil && best?.0 == course.winner,
            finding: ratios.map { "\($0.0) \(fixed($0.1, 1)) dB" }.joined(separator: ", "))
    }

    private static func comparison(_ course: Course, _ recordings: Recordings) -> Comparison? {
        guard let winner = course.winner, let mix = recordings.microphones[winner], let heard = recordings.heard,
            !heard.isEmpty
        else { return nil }
        return Comparison(heard: heard, reference: mix.samples, speech: mix.speech)
    }

    private static func heardIsSaid(_ course: Course, _ recordings: Recordings) -> Check {
        let title = "what the hub decoded is what was said"
        guard let comparison = comparison(course, recordings) else {
            return Check(title: title, passed: false, finding: "the hub recorded nothing")
        }
        return Check(
            title: title,
            passed: comparison.segmentalSNR >= leastSegmentalSNR && comparison.worstSNR >= leastWorstSNR,
            finding: "segmental SNR \(fixed(comparison.segmentalSNR, 1)) dB (at least \(fixed(leastSegmentalSNR, 0))), "
                + "worst 20 ms \(fixed(comparison.worstSNR, 1)) dB (at least \(fixed(leastWorstSNR, 0)))")
    }

    private static func heardWhole(_ course: Course, _ recordings: Recordings) -> Check {
        let title = "the whole sentence arrived"
        guard let comparison = comparison(course, recordings) else {
            return Check(title: title, passed: false, finding: "the hub recorded nothing")
        }
        return Check(
            title: title, passed: comparison.missingFrames == 0 && comparison.speechFrames > 0,
            finding:
                "\(comparison.speechFrames - comparison.missingFrames) of \(comparison.speechFrames) × 20 ms of speech")
    }

    private static func playedIsSent(_ course: Course, _ recordings: Recordings) -> Check {
        let title = "the loudspeaker played exactly what the hub sent"
        guard let sent = recordings.sent, let winner = course.winner, let played = recordings.speakers[winner],
            sent.contains(where: { $0 != 0 })
        else { return Check(title: title, passed: false, finding: "there is no answer to compare") }
        let playback = Playback(recorded: played, answer: sent)
        guard playback.answerAt != nil else {
            return Check(
                title: title, passed: false,
                finding: "of \(sent.count) samples the longest match from the start is \(playback.longestMatch)")
        }
        return Check(
            title: title, passed: playback.soundAfter == 0,
            finding: "\(sent.count) samples, all equal"
                + (playback.soundAfter > 0 ? "; but \(playback.soundAfter) samples of sound after them" : ""))
    }

    private static func othersSilent(_ course: Course, _ recordings: Recordings) -> Check {
        let others = course.pucks.filter { $0 != course.winner }
        let loud = others.filter { recordings.speakers[$0]?.contains { $0 != 0 } ?? false }
        return Check(
            title: "the others stayed silent", passed: loud.isEmpty && course.winner != nil,
            finding: loud.isEmpty ? others.joined(separator: ", ") : "heard from: " + loud.joined(separator: ", "))
    }
}
