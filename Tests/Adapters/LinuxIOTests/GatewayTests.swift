import CLinux
import Testing

@testable import LinuxIO

/// An imitation of /proc.
private struct Proc {
    let folder = TemporaryFolder()
    var root: String { folder.path }

    init(_ name: String, _ text: String) throws {
        mkdir(folder.file("net"), 0o700)
        try writeFileAtomically(folder.file("net/" + name), Array(text.utf8))
    }

    func remove() {
        unlink(folder.file("net/route"))
        unlink(folder.file("net/wireless"))
        rmdir(folder.file("net"))
        folder.remove()
    }
}

@Suite struct GatewayTests {
    private static let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

    private func gateway(_ lines: String) throws -> Gateway? {
        let proc = try Proc("route", Self.head + lines)
        defer { proc.remove() }
        return Gateway.current(procRoot: proc.root)
    }

    @Test("the default route with the smallest metric names the gateway")
    func smallestMetric() throws {
        let found = try gateway(
            """
            wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
            eth0\t00000000\tFE02A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
            eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0

            """)
        #expect(found?.interface == "eth0" && found?.text == "192.168.2.254")
    }

    @Test("what is no default route over a gateway that is up is none")
    func none() throws {
        for line in [
            "", "eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n",
            "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n",
            "eth0\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n",
            "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n", "eth0\t00000000\tx\t0003\n",
        ] {
            #expect(try gateway(line) == nil, "\(line)")
        }
        #expect(Gateway.current(procRoot: "/nonexistent") == nil)
    }

    @Test("an address of this machine answers, and a probe does not wait")
    func loopback() throws {
        let here = Gateway(interface: "lo", address: UInt32(0x7F00_0001).bigEndian)
        #expect(GatewayProbe(here)?.hasAnswer(within: 5000) == true)
        // Refused at once, as where there is no way: nobody may connect to everybody.
        let nowhere = Gateway(interface: "x", address: UInt32.max)
        let probe = try #require(GatewayProbe(nowhere))
        #expect(!probe.hasAnswer(within: 200))
    }
}

@Suite struct WirelessTests {
    private static let head =
        "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n"
        + " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"

    private func read(_ lines: String, _ name: String = "", saving: Int32 = -1) throws -> Wireless? {
        let proc = try Proc("wireless", Self.head + lines)
        defer { proc.remove() }
        return Wireless.read(name, procRoot: proc.root, powerSaving: { _ in saving })
    }

    @Test("signal and power saving are read, of the first interface or the one that is named")
    func signal() throws {
        let lines =
            " wlan0: 0000   57.  -53.  -256        0      0      0      0      0        0\n"
            + " wlan1: 0000   40.  -70   -256        0      0      0      0      0        0\n"
        let first = try read(lines, saving: 1)
        #expect(first?.interface == "wlan0" && first?.signalDecibels == -53 && first?.isSavingPower == true)
        #expect(first?.powerAdvice.contains("iw dev wlan0 set power_save off") == true)
        let second = try read(lines, "wlan1", saving: 0)
        #expect(second?.signalDecibels == -70 && second?.isSavingPower == false)
        #expect(try read(lines)?.isSavingPower == nil)
        #expect(try read(lines, "wlan2") == nil)
    }

    @Test("a level that counts up is turned into one that counts down")
    func unsigned() throws {
        #expect(try read(" wlan0: 0000   57.  203.  0. 0 0 0 0 0 0\n")?.signalDecibels == -53)
    }

    @Test("without Wi-Fi there is none")
    func none() throws {
        #expect(try read("") == nil)
        #expect(try read("wlan0:\n") == nil)
        #expect(Wireless.read(procRoot: "/nonexistent") == nil)
        #expect(systemPowerSaving("lo") == -1)
        #expect(systemPowerSaving("a-name-that-is-too-long-for-linux") == -1)
    }
}

@Suite struct ChildCommandTests {
    @Test("a command's words are its arguments, whatever they look like to a shell")
    func words() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        var command = try ChildCommand(["touch", folder.file("$HOME;x")])
        var status = command.ended()
        while status == nil {
            waitReadable(-1, milliseconds: 5)
            status = command.ended()
        }
        #expect(status == 0 && folder.names == ["$HOME;x"])
        #expect(command.ended() == nil)
    }

    @Test("a program that does not exist is an error that says what to do, one that fails says how")
    func failures() throws {
        #expect(throws: SystemError.self) { try ChildCommand(["/nonexistent/program"]) }
        var command = try ChildCommand(["sleep", "1000"])
        #expect(command.ended() == nil)
        command.kill()
        var status = command.ended()
        while status == nil {
            waitReadable(-1, milliseconds: 5)
            status = command.ended()
        }
        #expect(status == -9)
        command.kill()
        #expect(command.ended() == nil)
    }

    @Test("a command has a process group of its own, unless it is to end with this one's", arguments: [false, true])
    func group(shares: Bool) throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        // The fifth word of stat(5) is the group.
        let script = "read -r pid name state parent group rest </proc/self/stat; echo $group >\"$0\"; exec sleep 1000"
        var command = try ChildCommand(["sh", "-c", script, folder.file("group")], sharesGroup: shares)
        var text: [UInt8] = []
        while text.last != UInt8(ascii: "\n") {
            waitReadable(-1, milliseconds: 5)
            text = (try? readSmallFile(folder.file("group"))) ?? []
        }
        let group = String(decoding: text.dropLast(), as: UTF8.self)
        #expect((group == "\(getpgrp())") == shares, "\(group)")
        command.kill()
        while command.ended() == nil { waitReadable(-1, milliseconds: 5) }
    }
}
