import ALSADevice
import BoardIO
import CLinux
import LinkTransport
import LinuxIO
import PuckBase
import PuckCore
import PuckWire
import Settings
import WakeFiles
import WakeModel
import WakeWord

/// `puckd --check`: tries everything that the daemon will need, one line each, and says how to mend what fails.
struct PuckCheck {
    private let settings: PuckSettings

    init(_ settings: PuckSettings) { self.settings = settings }

    /// The exit status: 0 when all is well.
    func run() -> Int32 {
        report("configuration", .good, "puck '\(settings.identity.id)' in '\(settings.identity.room)'")
        for warning in settings.warnings { report("configuration", .doubtful, warning) }
        checkState()
        // As puckd does it: what hangs on these lines is not there before.
        var power: [DrivenLine] = []
        var driven = true
        for output in settings.gpio.powerRequests where !switchOn(output.name, output.request, &power) {
            driven = false
        }
        let pause = settings.gpio.powerSettleMilliseconds
        if pause > 0 && !power.isEmpty { sleepMilliseconds(pause) }
        defer { switchOff(power) }
        // A card that takes one program at a time says busy while a puckd has it.
        var isRunning = false
        let control = checkControlSocket(&isRunning)
        let microphone = checkMicrophone(isRunning)
        let speaker = checkSpeaker(isRunning)
        let button = checkLine("button", settings.gpio.button)
        let mute = checkLine("mute switch", settings.gpio.mute)
        if let amplifier = settings.gpio.amplifierRequest, !checkOutput("amplifier", amplifier) { driven = false }
        let wake = checkWakeWords()
        checkMixer()
        let lights = checkLights()
        checkWireless()
        checkGateway()
        let hub = checkHub()
        checkSearch()
        return microphone && wake && speaker && button && mute && driven && lights && hub && control ? 0 : 1
    }

    /// Fails nothing: the puck works.
    private func checkState() {
        if let problem = settings.stateProblem {
            report("state_dir", .doubtful, problem + ". " + PuckSettings.stateAdvice)
        }
    }

    /// Each wake word with what it takes. Fails when one cannot be used.
    private func checkWakeWords() -> Bool {
        if settings.wake.detector != .model {
            report("wake", .good, "detector = \(settings.wake.detector.rawValue)")
            return true
        }
        let found = EarWords(settings.wake)
        for word in found.words {
            report(
                "wake", .good,
                "say \"\(word.wake.phrase)\": \(word.wake.manifestPath), cutoff \(fixed(word.cutoff, 2)), "
                    + "\(kibibytes(word.wake.model.memoryBytes))")
        }
        if !found.words.isEmpty {
            report("wake", .good, "\(kibibytes(found.memoryBytes)) of memory for listening, all of it from the start")
        }
        for problem in found.problems { report("wake", .bad, problem) }
        return found.problems.isEmpty
    }

    private func kibibytes(_ bytes: Int) -> String { "\((bytes + 1023) / 1024) KiB" }

    /// Takes the line and gives it back. One that a running puckd holds is fine.
    private func checkLine(_ what: String, _ line: GPIOSettings.Line) -> Bool {
        guard let request = line.request(chipLabels: settings.gpio.chipLabels) else { return true }
        do throws(LineError) {
            let input = try InputLine.open(request)
            let state = try input.isActive() ? "active" : "inactive"
            report(
                what, .good,
                "\(input.place): active \(line.active.rawValue), \(line.bias.rawValue), now \(state)")
            return true
        } catch {
            return reportRefusal(what, error)
        }
    }

    /// A line that a running puckd holds is no problem.
    private func reportRefusal(_ what: String, _ error: LineError) -> Bool {
        let isOurs = error.code == .busy && error.holder == GPIOSettings.consumer
        report(what, isOurs ? .doubtful : .bad, isOurs ? "\(error.context): a puckd is running here" : error.message)
        return isOurs
    }

    /// A card that takes one program at a time, and has puckd, is no problem either.
    private func reportRefusal(_ what: String, _ error: DeviceError, _ isRunning: Bool) -> Bool {
        let isOurs = error.code == .busy && isRunning
        report(what, isOurs ? .doubtful : .bad, isOurs ? "\(error.context): a puckd is running here" : error.message)
        return isOurs
    }

    /// Takes the line and switches it on, for as long as it is in `held`. One that a running puckd holds is on already.
    private func switchOn(_ what: String, _ request: LineRequest, _ held: inout [DrivenLine]) -> Bool {
        do throws(LineError) {
            let line = try DrivenLine.real(request)
            try line.set(true)
            held.append(line)
            report(what, .good, "\(line.place): active \(request.isActiveLow ? "low" : "high"), on until the end")
            return true
        } catch {
            return reportRefusal(what, error)
        }
    }

    /// The last first.
    private func switchOff(_ lines: [DrivenLine]) {
        for line in lines.reversed() {
            // A chip that has gone has nothing left to switch off.
            do throws(LineError) { try line.set(false) } catch {}
        }
    }

    /// Takes the line and gives it back: it is off for that moment. One that a running puckd holds is fine.
    private func checkOutput(_ what: String, _ request: LineRequest) -> Bool {
        do throws(LineError) {
            let line = try OutputLine.open(request)
            report(what, .good, "\(line.place): active \(request.isActiveLow ? "low" : "high")")
            return true
        } catch {
            return reportRefusal(what, error)
        }
    }

    /// Opens the lights. Lines that a running puckd holds are fine.
    private func checkLights() -> Bool {
        guard let wiring = settings.lights.wiring(chipLabels: settings.gpio.chipLabels) else { return true }
        do throws(LineError) {
            let output = try LightOutput.open(wiring)
            report("lights", .good, "\(output.place): \(output.pixelCount); 'puckd --show all' shows them")
            return true
        } catch {
            return reportRefusal("lights", error)
        }
    }

    /// Looks whether the card has the controls and would take the values; sets nothing. What is missing is no failure:
    /// drivers differ in what they offer.
    private func checkMixer() {
        let device = settings.controlDevice
        let volume = settings.playback.volumeControl
        if settings.mixer.settings.isEmpty && volume.isEmpty { return }
        do throws(DeviceError) {
            let mixer = try Mixer.open(device)
            var count = 0
            var wanted = settings.mixer.settings
            if !volume.isEmpty, settings.mixer.value(of: volume) == nil {
                wanted.append(.init(control: volume, value: .percent(100)))
            }
            for setting in wanted {
                do throws(DeviceError) {
                    try mixer.check(setting.control, setting.value)
                    count += 1
                } catch { report("mixer", .doubtful, error.message) }
            }
            report("mixer", .good, "\(device): \(count) of \(wanted.count) controls are there")
        } catch { report("mixer", .doubtful, error.message) }
    }

    /// Makes the control socket and takes it away again. One that is in use belongs to a puckd that runs: fine.
    private func checkControlSocket(_ isRunning: inout Bool) -> Bool {
        let path = settings.controlSocketPath
        if path.isEmpty { return true }
        do throws(SystemError) {
            _ = try ControlSocket(path: path)
            report("control", .good, path)
            return true
        } catch {
            if error.code == EADDRINUSE {
                isRunning = true
                report("control", .doubtful, "\(path) is in use: a puckd is running here")
                return true
            }
            report("control", .bad, "\(error.description)")
            return false
        }
    }

    private enum Verdict: String { case good = "ok", doubtful = "note", bad = "FAIL" }

    @inline(never)
    private func report(_ what: String, _ verdict: Verdict, _ text: String) {
        _ = PuckCommand.say(leftAligned(verdict.rawValue, 5) + leftAligned(what, 14) + text)
    }

    /// Opens the device and reads for half a second: a device that opens and stays silent is no microphone.
    private func checkMicrophone(_ isRunning: Bool) -> Bool {
        do throws(DeviceError) {
            let device = try CaptureDevice.open(settings.captureRequest)
            var frames = 0
            var sound = SoundCheck(settings.capture, device.format)
            defer { sound.destroy() }
            while frames < device.format.rate / 2 {
                let outcome = device.stream.readPeriod()
                guard outcome.status == .running else {
                    report(
                        "microphone", .bad,
                        "\(device.format.line): it opens, but delivers nothing. Unplug it and plug it in again; "
                            + "see 'dmesg'.")
                    return false
                }
                sound.take(device.stream, frames: outcome.frames)
                frames += outcome.frames
            }
            report("microphone", .good, device.format.line)
            reportPlace("microphone", "capture", settings.captureRequest.device, settings.capture.usbPath)
            for flaw in sound.flaws { report("microphone", .doubtful, flaw) }
            return true
        } catch {
            return reportRefusal("microphone", error, isRunning)
        }
    }

    private func checkSpeaker(_ isRunning: Bool) -> Bool {
        do throws(DeviceError) {
            let device = try PlaybackDevice.open(settings.playbackRequest)
            report("loudspeaker", .good, device.format.line)
            reportPlace("loudspeaker", "playback", settings.playbackRequest.device, settings.playback.usbPath)
            return true
        } catch {
            return reportRefusal("loudspeaker", error, isRunning)
        }
    }

    /// Which of several cards of one make it is.
    private func reportPlace(_ what: String, _ section: String, _ device: String, _ usbPath: String) {
        let place = CardPlace(of: device, root: settings.systemRoot)
        if let (detail, advice) = place.ambiguity(section, usbPath: usbPath) {
            report(what, .doubtful, "\(detail). \(advice)")
        } else if !place.port.isEmpty {
            report(what, .good, "card \(place.id) at USB port \(place.port)")
        }
    }

    /// Connects, greets and waits for the welcome.
    private func checkHub() -> Bool {
        guard settings.hub.isComplete else {
            report("hub", .bad, "not paired. " + PuckDaemon.pairingAdvice)
            return false
        }
        let place = "\(settings.hub.isInsecure ? "ws" : "wss")://\(settings.hub.host):\(settings.hub.port)"
        do throws(TransportError) {
            let loop = try EventLoop { _, _ in }
            let link = try ClientLink(on: loop, configuration: settings.linkConfiguration)
            var verdict: (ok: Bool, text: String)?
            link.onOpen = {
                let hello = Hello(
                    puckID: settings.identity.id, room: settings.identity.room, group: settings.identity.group,
                    software: "puckd \(PuckVersion.text)",
                    phrases: [settings.wake.phrase] + EarWords(settings.wake).phrases, isProbe: true)
                _ = Self.send(.hello(hello), on: link)
            }
            link.onMessage = { message in
                // The first message decides; a hub that refuses closes behind it, which says less.
                if verdict == nil { verdict = Self.judge(message) }
                link.close()
            }
            link.onClosed = { failure in
                if verdict == nil, failure != .closedHere { verdict = (false, failure.advice) }
                loop.stop()
            }
            loop.onDeadline = { link.close() }
            loop.setDeadline((MonotonicClock.now() + .seconds(10)).nanoseconds)
            link.open()
            loop.run()
            // They hold the link and the loop, which hold them.
            link.onOpen = {}
            link.onMessage = { _ in }
            link.onClosed = { _ in }
            loop.onDeadline = {}
            let result = verdict ?? (false, "no welcome within 10 s: its log says why")
            report("hub", result.ok ? .good : .bad, "\(place): \(result.text)")
            return result.ok
        } catch {
            report("hub", .bad, "\(place): \(error.message)")
            return false
        }
    }

    /// A hub whose address changes is found again by puckctl, which asks Avahi's program; says nothing where no certificate
    /// is pinned.
    private func checkSearch() {
        guard settings.coreIdentity.hubSearch != .off else { return }
        for (program, package) in [
            (PairingSearch.program, "puckctl"), ("avahi-browse", "avahi-daemon and avahi-utils"),
        ] {
            do throws(SystemError) {
                var command = try ChildCommand([program, "--version"], isQuiet: true)
                while command.ended() == nil { poll(nil, 0, 5) }
            } catch {
                report(
                    "hub search", .doubtful,
                    "\(error.description): a hub whose address changes is not found again; install \(package)")
            }
        }
    }

    /// Says nothing where there is no Wi-Fi, and fails nothing: what matters is the hub.
    private func checkWireless() {
        guard let wifi = Wireless.read(settings.network.interface) else { return }
        let isWeak = wifi.signalDecibels < Self.weakSignalDecibels
        let saving = wifi.isSavingPower.map { $0 ? "on: " + wifi.powerAdvice : "off" } ?? "unknown"
        report(
            "wi-fi", isWeak || wifi.isSavingPower == true ? .doubtful : .good,
            "\(wifi.interface): signal \(wifi.signalDecibels) dBm\(isWeak ? ", which is weak" : ""), power saving "
                + saving)
    }

    /// Below it 802.11's rates fall to where speech stutters.
    private static let weakSignalDecibels = -75

    private func checkGateway() {
        guard let gateway = Gateway.current(), let probe = GatewayProbe(gateway) else {
            report("gateway", .doubtful, "there is no IPv4 default route: a hub elsewhere is out of reach")
            return
        }
        let answers = probe.hasAnswer(within: 1000)
        report(
            "gateway", answers ? .good : .doubtful,
            "\(gateway.text) on \(gateway.interface) "
                + (answers ? "answers" : "does not answer, so a dead network cannot be told from a dead hub")
                + " (\(probe.way))")
    }

    private static func judge(_ message: UnsafeRawBufferPointer) -> (ok: Bool, text: String) {
        do throws(WireError) {
            let header = try MessageHeader.parse(message)
            let payload = UnsafeRawBufferPointer(rebasing: message[WireLimits.headerBytes...])
            if header.type == .error {
                let error = WireError.parse(payload: payload)
                return (false, "the hub refused: \(error.code.name), \(error.detail)")
            }
            if case .welcome(let welcome) = try HubControl.parse(payload, type: header.type) {
                return (true, "welcomed, session \(welcome.session)")
            }
            return (false, "the hub did not say welcome first: update the older of the two programs")
        } catch {
            return (false, "the hub's first message cannot be read: \(error.detail)")
        }
    }

    private static func send(_ control: PuckControl, on link: ClientLink) -> Bool {
        let payload = control.payload()
        let header = MessageHeader(
            type: .control, sequence: .zero, timestampMilliseconds: MonotonicClock.now().wireMilliseconds,
            length: payload.count)
        var head = [UInt8](repeating: 0, count: WireLimits.headerBytes)
        return head.withUnsafeMutableBytes { bytes in
            header.write(to: bytes)
            return payload.withUnsafeBytes { link.send(head: UnsafeRawBufferPointer(bytes), body: $0) }
        }
    }
}
