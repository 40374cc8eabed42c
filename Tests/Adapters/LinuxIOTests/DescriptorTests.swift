import CLinux
import LinuxIO
import PuckBase
import Synchronization
import Testing

@Suite struct DescriptorTests {
    private func isReadable(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    @Test("the monotonic clock never goes back")
    func monotonicClockNever() {
        var last = MonotonicClock.now()
        for _ in 0..<1000 {
            let now = MonotonicClock.now()
            #expect(now >= last)
            last = now
        }
    }

    @Test("signals add up to one wake-up until they are drained")
    func signalsAddWake()
        throws
    {
        let event = try EventDescriptor()
        #expect(!isReadable(event.descriptor))
        #expect(event.drain() == 0)
        event.signal()
        event.signaller.signal()
        #expect(isReadable(event.descriptor))
        #expect(event.drain() == 2)
        #expect(!isReadable(event.descriptor))
    }

    @Test("a blocked signal arrives through its descriptor")
    func blockedSignalArrives() throws {
        // raise() goes to this thread alone, so other threads of the test process need no mask.
        let signals = try SignalDescriptor([.user1, .user2])
        #expect(signals.next() == nil)
        raise(Signal.user2.rawValue)
        #expect(isReadable(signals.descriptor))
        #expect(signals.next() == .user2)
        #expect(signals.next() == nil)
    }

    @Test("signal numbers are those of the system")
    func signalNumbersSystems() {
        let numbers = [SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGTERM]
        #expect(Signal.allCases.map(\.rawValue) == numbers)
    }
}

@Suite struct ThreadTests {
    private final class Seen: Sendable {
        let value = Atomic<Int>(0)
        let name = Mutex<String>("")
    }

    private func ownName() -> String {
        let bytes = (try? readSmallFile("/proc/thread-self/comm")) ?? []
        return String(decoding: bytes.dropLast(), as: UTF8.self)
    }

    @Test("a thread runs its body under its name before join returns")
    func threadRunsBody() throws {
        let seen = Seen()
        let thread = try Thread(name: "capture-with-a-long-name") {
            seen.name.withLock { $0 = ownName() }
            seen.value.store(7, ordering: .releasing)
        }
        thread.join()
        thread.join()
        #expect(seen.value.load(ordering: .acquiring) == 7)
        #expect(seen.name.withLock { $0 } == "capture-with-a-")
        #expect(thread.outcome == .asAsked)
    }

    @Test("real time that is refused still runs and says so")
    func realTimeRefused() throws {
        let seen = Seen()
        // 1000 is no priority, so that even root is refused.
        let thread = try Thread(name: "t", scheduling: .realTime(priority: 1000)) {
            seen.value.store(1, ordering: .releasing)
        }
        thread.join()
        #expect(seen.value.load(ordering: .acquiring) == 1)
        #expect(thread.outcome == .realTimeRefused(code: EINVAL))
    }

    @Test("a stack that is less than the system demands is made as large as that")
    func smallStack() throws {
        let seen = Seen()
        let thread = try Thread(name: "t", stackBytes: 1) { seen.value.store(1, ordering: .releasing) }
        thread.join()
        #expect(seen.value.load(ordering: .acquiring) == 1)
    }

    @Test("a stack that the system refuses is an error")
    func stackSystemRefuses() {
        #expect(throws: SystemError("cannot start the thread t", code: EAGAIN)) {
            _ = try Thread(name: "t", stackBytes: 1 << 60) {}
        }
    }
}
