import CLinux
import LinuxIO
import PuckBase
import WAVFile

/// `puckctl record SECONDS FILE`: the daemon sends what it hears, and the file is written here, with the rights of who
/// asks: the daemon may write nowhere.
struct RecordCommand {
    let request: String
    let file: String
    let socket: String

    func run() -> Int32 {
        switch Session.begin(request, at: socket) {
        case .failed(let status): return status
        case .begun(let session): return write(session)
        }
    }

    /// Only once the daemon has agreed: what it refuses costs no file that was there before.
    private func write(_ session: Session) -> Int32 {
        // A voice is nobody else's business.
        let descriptor = puck_open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        if descriptor < 0 {
            return Command.fail("puckctl: cannot write \(file): \(errorText(puck_errno()))", ExitCode.cannotCreate)
        }
        defer { close(descriptor) }
        var samples = 0
        var failure: Int32 = put(header(samples: 0), descriptor)
        var status: Int32 = 0
        var trouble = ""
        while failure == 0 {
            var verdict: String?
            let outcome = session.control.receive { kind, body in
                if kind == .end {
                    verdict = String(decoding: body, as: UTF8.self)
                } else {
                    failure = put(Array(body), descriptor)
                    samples += body.count / 2
                }
            }
            if let verdict {
                if let refusal = Command.refusal(in: verdict) { (status, trouble) = (ExitCode.refused, refusal) }
                break
            }
            if outcome == .done { continue }
            if outcome == .gone {
                (status, trouble) = (ExitCode.unreachable, Session.gone)
                break
            }
            let news = session.wait(forRoom: false)
            if news == .interrupted { break }
            if news == .nothing {
                (status, trouble) = (ExitCode.unreachable, Session.hangs)
                break
            }
        }
        if failure == 0, lseek(descriptor, 0, SEEK_SET) == 0 { failure = put(header(samples: samples), descriptor) }
        if failure != 0 {
            return Command.fail("puckctl: cannot write \(file): \(errorText(failure))", ExitCode.cannotCreate)
        }
        let length = "\(fixed(Double(samples) / 16_000, 1)) s in \(file)"
        if status != 0 { return Command.fail("puckctl: \(trouble); \(length)", status) }
        return Command.say(length)
    }

    private func header(samples: Int) -> [UInt8] {
        var bytes = WAVFile(rate: 16_000, channels: 1, samples: []).serialized()
        for (place, value) in [(4, bytes.count - 8 + 2 * samples), (bytes.count - 4, 2 * samples)] {
            for i in 0..<4 { bytes[place + i] = UInt8(truncatingIfNeeded: value >> (8 * i)) }
        }
        return bytes
    }

    /// 0 or errno.
    private func put(_ bytes: [UInt8], _ descriptor: Int32) -> Int32 {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress! + offset, $0.count - offset) }
            if count < 0, puck_errno() != EINTR { return puck_errno() }
            offset += max(0, count)
        }
        return 0
    }
}
