import PuckBase
import PuckCore
import Testing

private func at(_ milliseconds: Int) -> Instant { .zero + .milliseconds(milliseconds) }

/// A line's life as tests write it down, in milliseconds; the machine is asked at its deadlines as the loop would do it.
private enum Happening {
    case down(Int)
    case up(Int)
    /// An edge that the loop hears of later than it happened.
    case late(isActive: Bool, at: Int, heard: Int)
    /// The line is found at this level at the machine's next deadlines.
    case reads(Bool)
    case lost(Int)
    case opened(isActive: Bool, Int)
    case until(Int)
}

@Suite("A button")
struct ButtonTests {
    /// What is reported when, as "short 140".
    private func presses(openedActive: Bool = false, _ happenings: Happening...) -> [String] {
        var button = Button()
        var reported: [String] = []
        var level = openedActive
        var clock = 0
        func step(_ event: LineEvent, _ milliseconds: Int) {
            clock = max(clock, milliseconds)
            var presses: [Button.Press] = []
            button.step(event, now: at(milliseconds), into: &presses)
            reported += presses.map { "\($0.rawValue) \(milliseconds)" }
        }
        func run(until milliseconds: Int) {
            while let due = button.nextDeadline, due <= at(milliseconds) {
                step(.levelRead(isActive: level), max(clock, Int((due - .zero).wholeMilliseconds)))
                #expect(button.nextDeadline.map { $0 > at(clock) } ?? true, "a deadline must not come again and again")
            }
        }
        step(.opened(isActive: openedActive), 0)
        for happening in happenings {
            switch happening {
            case .down(let time), .up(let time):
                run(until: time - 1)
                if case .down = happening { level = true } else { level = false }
                step(.edge(isActive: level, at: at(time)), time)
            case .late(let isActive, let time, let heard):
                level = isActive
                step(.edge(isActive: isActive, at: at(time)), heard)
            case .reads(let isActive): level = isActive
            case .lost(let time):
                run(until: time - 1)
                step(.lost, time)
            case .opened(let isActive, let time):
                run(until: time - 1)
                level = isActive
                step(.opened(isActive: isActive), time)
            case .until(let time): run(until: time)
            }
        }
        run(until: 100_000)
        return reported
    }

    @Test("a short press is reported once its release has settled")
    func short() {
        #expect(presses(.down(100), .up(220)) == ["short 240"])
        #expect(presses(.down(100), .up(220), .down(400), .up(500)) == ["short 240", "short 520"])
    }

    @Test("a long press is reported while the button is still down, once")
    func long() {
        #expect(presses(.down(100), .up(5000)) == ["long 900", "long_end 5020"])
        #expect(presses(.down(100), .up(900)) == ["long 900", "long_end 920"])
        #expect(
            presses(.down(100), .up(1200), .down(2000), .up(2100)) == ["long 900", "long_end 1220", "short 2120"])
    }

    @Test("a press of 5 s is a very long one, which is reported while the button is still down and does not end")
    func veryLong() {
        #expect(presses(.down(100)) == ["long 900", "very_long 5100"])
        #expect(
            presses(.down(100), .up(9000), .down(9500), .up(9600)) == ["long 900", "very_long 5100", "short 9620"])
        #expect(presses(.down(100), .up(5099)) == ["long 900", "long_end 5119"])
        #expect(
            presses(.down(100), .up(5095), .down(5105), .up(9000)) == ["long 900", "very_long 5105"],
            "the release was a bounce")
        #expect(
            presses(.late(isActive: true, at: 100, heard: 9000), .late(isActive: false, at: 6000, heard: 9000))
                == ["long 9000", "very_long 9000"], "heard of late it is both at once")
    }

    @Test("a press of just under 800 ms is short, though its release settles later")
    func boundary() {
        #expect(presses(.down(100), .up(899)) == ["short 919"])
        #expect(presses(.down(100), .up(890), .down(895), .up(3000)) == ["long 900", "long_end 3020"])
        #expect(
            presses(.down(100), .up(890), .down(905), .up(3000)) == ["long 905", "long_end 3020"],
            "the release was a bounce")
    }

    @Test("bounces of the contact are one press")
    func bounces() {
        let pressed: [Happening] = [.down(100), .up(101), .down(103), .up(104), .down(106)]
        #expect(
            presses(pressed[0], pressed[1], pressed[2], pressed[3], pressed[4], .up(300), .down(302), .up(307))
                == ["short 327"])
    }

    @Test("what lasts less than 20 ms is no press, and a gap of less than 20 ms does not end one")
    func glitches() {
        #expect(presses(.down(100), .up(119)) == [])
        #expect(presses(.down(100), .up(300), .down(319), .up(500)) == ["short 520"])
    }

    @Test("a button that is down from the start presses nothing until it was up")
    func heldFromStart() {
        #expect(presses(openedActive: true, .until(5000), .up(6000)) == [])
        #expect(presses(openedActive: true, .up(1000), .down(2000), .up(2100)) == ["short 2120"])
    }

    @Test("edges that are heard of late count when they happened")
    func late() {
        #expect(
            presses(.late(isActive: true, at: 100, heard: 2000), .late(isActive: false, at: 200, heard: 2000))
                == ["short 2000"])
        #expect(
            presses(.late(isActive: true, at: 100, heard: 2000), .late(isActive: false, at: 950, heard: 2000))
                == ["long 2000", "long_end 2000"])
        #expect(presses(.down(100), .reads(false), .late(isActive: false, at: 200, heard: 700)) == ["short 700"])
    }

    @Test("the level that is read decides where edges were lost or misjudged")
    func misjudged() {
        // The second edge of a glitch never came: nothing was pressed.
        #expect(presses(.down(100), .reads(false), .until(500)) == [])
        // A release whose edge was lost is found when the press would become a long one.
        #expect(presses(.down(100), .until(500), .reads(false)) == ["long 920", "long_end 920"])
    }

    @Test("a line that goes away takes its press with it")
    func lost() {
        #expect(presses(.down(100), .until(200), .lost(300), .opened(isActive: false, 5000)) == [])
        #expect(presses(.down(100), .lost(110), .opened(isActive: true, 5000), .up(5100)) == [])
        #expect(
            presses(
                .lost(50), .late(isActive: true, at: 60, heard: 60), .opened(isActive: false, 70), .down(100), .up(200))
                == ["short 220"])
    }

    @Test("an unopened button waits for nothing")
    func idle() {
        var button = Button()
        #expect(button.nextDeadline == nil)
        var presses: [Button.Press] = []
        button.step(.edge(isActive: true, at: at(1)), now: at(1), into: &presses)
        button.step(.levelRead(isActive: true), now: at(2), into: &presses)
        #expect(button.nextDeadline == nil && presses == [])
    }
}

@Suite("A mute switch")
struct MuteSwitchTests {
    private struct Step {
        let event: LineEvent
        let now: Int
        let isMuted: Bool

        init(_ event: LineEvent, _ now: Int, _ isMuted: Bool) {
            (self.event, self.now, self.isMuted) = (event, now, isMuted)
        }
    }

    private func check(_ steps: Step...) {
        var mute = MuteSwitch()
        for (index, step) in steps.enumerated() {
            mute.step(step.event, now: at(step.now))
            #expect(mute.isMuted == step.isMuted, "step \(index)")
        }
    }

    @Test("its state at the start counts, and one that was never read mutes")
    func start() {
        #expect(MuteSwitch().isMuted && !MuteSwitch().isReadable)
        check(Step(.opened(isActive: true), 0, true))
        check(Step(.opened(isActive: false), 0, false))
    }

    @Test("it mutes at once, and unmutes when that has lasted 20 ms")
    func follows() {
        check(
            Step(.opened(isActive: false), 0, false),
            Step(.edge(isActive: true, at: at(100)), 100, true),
            Step(.edge(isActive: false, at: at(500)), 500, true),
            Step(.levelRead(isActive: false), 519, true),
            Step(.levelRead(isActive: false), 520, false))
    }

    @Test("bounces never open the microphone early")
    func bounces() {
        check(
            Step(.opened(isActive: false), 0, false),
            Step(.edge(isActive: true, at: at(100)), 100, true),
            Step(.edge(isActive: false, at: at(102)), 102, true),
            Step(.edge(isActive: true, at: at(104)), 104, true),
            Step(.levelRead(isActive: true), 500, true),
            Step(.edge(isActive: false, at: at(600)), 600, true),
            Step(.edge(isActive: false, at: at(610)), 610, true),
            Step(.levelRead(isActive: false), 620, true),
            Step(.levelRead(isActive: false), 630, false))
    }

    @Test("an unmuting that the level does not confirm is none")
    func unconfirmed() {
        check(
            Step(.opened(isActive: true), 0, true),
            Step(.edge(isActive: false, at: at(100)), 100, true),
            Step(.levelRead(isActive: true), 120, true),
            Step(.levelRead(isActive: true), 1000, true))
    }

    @Test("edges that are heard of late count when they happened")
    func late() {
        check(
            Step(.opened(isActive: false), 0, false),
            Step(.edge(isActive: true, at: at(100)), 500, true),
            Step(.edge(isActive: false, at: at(200)), 500, true),
            Step(.levelRead(isActive: false), 500, false))
    }

    @Test("a switch that cannot be read any more mutes until it can")
    func lost() {
        check(
            Step(.opened(isActive: false), 0, false),
            Step(.lost, 100, true),
            Step(.edge(isActive: false, at: at(200)), 300, true),
            Step(.levelRead(isActive: false), 400, true),
            Step(.opened(isActive: false), 500, false))
    }
}
