import CLinux
import PuckBase

/// Writes lines to a descriptor from a thread of its own, so that nobody else ever waits for whoever reads them: a pipe
/// whose reader stands still, a hung journald, a terminal that is held, a disk that does not answer. Only the thread
/// waits; the descriptor's flags, which other processes may share, stay as they are.
///
/// What waits is bounded: past `capacityBytes` new lines are dropped and counted, until the thread gets on. A line with
/// their number then stands where they are missing. What cannot be written (a full disk, a closed pipe) is counted too,
/// and said before the next line that can.
///
/// Any thread but the audio threads. Lives as long as the process does.
public final class BackgroundWriter: @unchecked Sendable {  // Sound: shared state is touched under `lock` only.
    /// Of lines that wait, beside as many that are being written: some hundred lines each.
    public static let capacityBytes = 32_768
    private static let stackBytes = 64 * 1024

    private let descriptor: Int32
    private let note: @Sendable (_ dropped: UInt64) -> String
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let news = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Under `lock`: lines for the thread, and how many were dropped behind them.
    private var queued = UnsafeMutablePointer<UInt8>.allocate(capacity: BackgroundWriter.capacityBytes)
    private var queuedBytes = 0
    private var dropped: UInt64 = 0
    /// Under `lock`: the thread has something in hand.
    private var isBusy = false
    /// The thread's own: what it has in hand, and how many lines were lost since one could be written.
    private var inHand = UnsafeMutablePointer<UInt8>.allocate(capacity: BackgroundWriter.capacityBytes)
    private var lost: UInt64 = 0
    /// The thread's own: the last line was written in part.
    private var isTorn = false
    /// Nil where none could be started: then lines are written by whoever has them.
    private var thread: Thread?

    /// - Parameters:
    ///   - descriptor: borrowed for as long as the process lives.
    ///   - note: the line, with its end, that says how many are missing; empty for none.
    public init(descriptor: Int32, note: @escaping @Sendable (_ dropped: UInt64) -> String) {
        self.descriptor = descriptor
        self.note = note
        pthread_mutex_init(lock, nil)
        pthread_cond_init(news, nil)
        // Signals are for the loop: none may be taken on this thread, and a broken pipe is an error like any other.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        do throws(SystemError) {
            // Held by its thread, which never ends.
            thread = try Thread(name: "log", stackBytes: Self.stackBytes) { [self] in run() }
        } catch {
            thread = nil
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }

    deinit { preconditionFailure("a background writer lives as long as the process") }

    /// Takes a line with its end, or drops it when too much waits. Never waits for the reader.
    public func append(_ line: UnsafeBufferPointer<UInt8>) {
        guard thread != nil else {
            _ = write(line)
            return
        }
        pthread_mutex_lock(lock)
        if dropped > 0 || queuedBytes + line.count > Self.capacityBytes {
            dropped += 1
        } else if let start = line.baseAddress {
            (queued + queuedBytes).update(from: start, count: line.count)
            queuedBytes += line.count
        }
        pthread_cond_signal(news)
        pthread_mutex_unlock(lock)
    }

    /// Waits until all is written, for at most `limit`; for the end of a process. False when something is left.
    @discardableResult
    public func flush(within limit: Interval) -> Bool {
        let end = MonotonicClock.now() + limit
        while true {
            pthread_mutex_lock(lock)
            let isDone = queuedBytes == 0 && dropped == 0 && !isBusy
            pthread_mutex_unlock(lock)
            if isDone || thread == nil { return true }
            if MonotonicClock.now() >= end { return false }
            poll(nil, 0, 1)
        }
    }

    // MARK: The thread

    private func run() {
        while true {
            pthread_mutex_lock(lock)
            isBusy = false
            while queuedBytes == 0 && dropped == 0 { pthread_cond_wait(news, lock) }
            swap(&queued, &inHand)
            let count = queuedBytes
            let missing = dropped
            queuedBytes = 0
            dropped = 0
            isBusy = true
            pthread_mutex_unlock(lock)
            writeLines(UnsafeBufferPointer(start: inHand, count: count))
            if missing > 0 {
                lost += missing
                _ = sayLost()
            }
        }
    }

    /// One write for each line, so that lines of several processes are not mixed in a pipe.
    private func writeLines(_ bytes: UnsafeBufferPointer<UInt8>) {
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            end = min(end + 1, bytes.count)
            if !sayLost() || !write(UnsafeBufferPointer(rebasing: bytes[start..<end])) { lost += 1 }
            start = end
        }
    }

    /// False when lines are missing and that cannot be said.
    private func sayLost() -> Bool {
        if lost == 0 { return true }
        var text = note(lost)
        guard text.isEmpty || text.withUTF8({ write($0) }) else { return false }
        lost = 0
        return true
    }

    private func write(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        if isTorn {
            let end = UInt8(ascii: "\n")
            guard withUnsafeBytes(of: end, { writeAll($0) }) else { return false }
        }
        return writeAll(UnsafeRawBufferPointer(line))
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = retryingInterrupted {
                CLinux.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
            }
            if count > 0 {
                written += count
                continue
            }
            if count < 0, puck_errno() == EAGAIN {
                // Somebody who shares it made it non-blocking.
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&entry, 1, -1)
                continue
            }
            isTorn = isTorn || written > 0
            return false
        }
        isTorn = false
        return true
    }
}

/// Opens /dev/null for whichever of the descriptors 0, 1 and 2 is closed, so that no file or socket of the process ever
/// gets one of these numbers, and the log with it. First thing in a program.
public func openStandardDescriptors() {
    // The lowest free number is the one that is missing.
    for descriptor in 0...2 as ClosedRange<Int32> where puck_fcntl(descriptor, F_GETFD, 0) < 0 {
        _ = puck_open("/dev/null", O_RDWR, 0)
    }
}

/// Writes text to standard error before a process ends, unless its reader stands still for a second.
public func sayLastWords(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
        var written = 0
        while written < bytes.count {
            var entry = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 1000) == 1, entry.revents & Int16(POLLOUT) != 0 else { return }
            // A pipe that is writable takes so much at once.
            let size = min(bytes.count - written, Int(PIPE_BUF))
            let count = retryingInterrupted { CLinux.write(2, bytes.baseAddress! + written, size) }
            if count <= 0 { return }
            written += count
        }
    }
}
