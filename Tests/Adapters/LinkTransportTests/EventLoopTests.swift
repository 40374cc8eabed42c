import CLinux
import Synchronization
import Testing

@testable import LinkTransport

extension LinkTransportTests {
    @Suite("The event loop")
    struct EventLoopTests {
        @Test("an adopted descriptor is called while it is readable, and not after it was removed")
        func adopted() throws {
            let bench = try Bench()
            let descriptor = eventfd(0, Int32(EFD_NONBLOCK))
            defer { close(descriptor) }
            var calls = 0
            let handle = try bench.loop.adopt(fileDescriptor: descriptor) { readiness in
                #expect(readiness == .readable)
                calls += 1
                if calls == 3 { drainCounter(descriptor) }  // level-triggered: called until it is read
            }
            raiseCounter(descriptor)
            bench.serve { calls == 3 }
            bench.settle()
            #expect(calls == 3)
            handle.remove()
            handle.remove()
            raiseCounter(descriptor)
            bench.settle()
            #expect(calls == 3)
        }

        @Test("a descriptor may be removed, and another adopted, inside a callback of the same round")
        func removedInsideCallback() throws {
            let bench = try Bench()
            let first = eventfd(1, Int32(EFD_NONBLOCK))
            let second = eventfd(1, Int32(EFD_NONBLOCK))
            defer {
                close(first)
                close(second)
            }
            var calls: [String] = []
            var handles: [AdoptedDescriptor] = []
            for (name, descriptor) in [("first", first), ("second", second)] {
                handles.append(
                    try bench.loop.adopt(fileDescriptor: descriptor) { [unowned loop = bench.loop] _ in
                        calls.append(name)
                        for handle in handles { handle.remove() }
                        _ = try? loop.adopt(fileDescriptor: first) { _ in
                            calls.append("again")
                            drainCounter(first)
                        }
                    })
            }
            bench.serve { calls.count == 2 }
            #expect(calls[1] == "again")
            handles = []
        }

        @Test("a hang-up is reported once, after what was left to read, and does not spin the loop")
        func hangUp() throws {
            let bench = try Bench()
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            defer { close(ends[0]) }
            var reports: [Readiness] = []
            let reader = ends[0]
            try bench.loop.adopt(fileDescriptor: reader) { readiness in
                reports.append(readiness)
                var byte: UInt8 = 0
                if readiness.contains(.readable) { _ = read(reader, &byte, 1) }
            }
            var byte: UInt8 = 1
            _ = write(ends[1], &byte, 1)
            close(ends[1])
            bench.serve { reports.last == .hangUp }
            let count = reports.count
            bench.settle()
            #expect(reports.count == count)
            #expect(reports.first?.contains(.readable) == true)
        }

        @Test("a deadline comes once, the last one set counts, and nil takes it back")
        func deadline() throws {
            let loop = try EventLoop { _, _ in }
            var times = 0
            loop.onDeadline = { times += 1 }
            loop.setDeadline(monotonicNanoseconds() + 3_600_000_000_000)
            loop.setDeadline(1)
            while times == 0 { loop.turn() }
            loop.setDeadline(1)
            loop.setDeadline(nil)
            for _ in 0..<10 {
                loop.later {}
                loop.turn()
            }
            #expect(times == 1)
        }

        @Test("stop ends run from another thread, and before run has begun")
        func stop() throws {
            let loop = try EventLoop { _, _ in }
            loop.stop()
            loop.run()
            let argument = Unmanaged.passUnretained(loop).toOpaque()
            var thread = pthread_t()
            pthread_create(
                &thread, nil,
                {
                    // Sound: stop is the one call that any thread may make, and the loop outlives the join below.
                    Unmanaged<EventLoop>.fromOpaque($0!).takeUnretainedValue().stop()
                    return nil
                }, argument)
            loop.run()
            pthread_join(thread, nil)
        }

        @Test("loops and links give back every descriptor")
        func nothingLeft() throws {
            func once() throws {
                let bench = try Bench()
                try bench.listen(tls: true)
                let client = try bench.client(tls: true)
                client.link.open()
                bench.serve { client.openings == 1 && bench.opened.count == 1 }
            }
            try once()
            let before = openDescriptorCount()
            for _ in 0..<100 { try once() }
            #expect(descriptorCount(fallsTo: before + othersDescriptors), "a leak would be 100 or more")
        }
    }

    @Suite("The send queue")
    struct SendRingTests {
        @Test("what is taken is what was appended, over many wraps and sizes")
        func wraps() {
            let ring = SendRing()
            var generator = SystemRandomNumberGenerator()
            var expected: [[UInt8]] = []
            var bytes = 0
            for step in 0..<20_000 {
                if UInt8.random(in: 0...9, using: &generator) < 6 {
                    let size = Int.random(in: 0...4096, using: &generator)
                    let message = [UInt8](repeating: UInt8(step & 255), count: size)
                    let split = size / 3
                    let accepted = message.withUnsafeBytes {
                        ring.append(
                            head: UnsafeRawBufferPointer(rebasing: $0[..<split]),
                            body: UnsafeRawBufferPointer(rebasing: $0[split...]))
                    }
                    if accepted {
                        expected.append(message)
                        bytes += size
                    } else if bytes < 48_000 {
                        Issue.record("refused \(size) bytes with only \(bytes) queued")
                    }
                } else {
                    let taken = ring.takeFirst().map { Array($0) }
                    if taken != (expected.isEmpty ? nil : expected.removeFirst()) {
                        Issue.record("wrong at step \(step)")
                    }
                    bytes -= taken?.count ?? 0
                }
                if ring.queuedBytes != bytes || ring.count != expected.count {
                    Issue.record("miscounted at step \(step)")
                }
            }
        }
    }
}
