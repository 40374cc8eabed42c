import CLinux
import PuckBase

/// How a Wi-Fi interface does, by the kernel's wireless extensions: /proc/net/wireless for the signal, one ioctl for the
/// power saving. Both need no privilege and no library. The kernel's newer nl80211 says the same through generic
/// netlink, at ten times the code; a kernel without the old interface (CONFIG_CFG80211_WEXT) tells nothing here, and
/// nothing depends on it.
public struct Wireless: Equatable, Sendable {
    public let interface: String
    /// dBm, usually −30 (beside the access point) … −90 (hardly anything).
    public let signalDecibels: Int
    /// Nil where the driver does not say.
    public let isSavingPower: Bool?

    /// What switches it off, until the next start and for good.
    public var powerAdvice: String {
        "it delays answers and loses links; switch it off with 'iw dev \(interface) set power_save off', and for good "
            + "with 'nmcli connection modify NAME 802-11-wireless.powersave 2'"
    }

    /// The interface of this name, or the first; nil when there is none.
    /// - Parameters:
    ///   - interface: empty for the first.
    ///   - procRoot: `/proc`, or a test's imitation of it.
    ///   - powerSaving: 1 on, 0 off, −1 unknown; the system's unless a test says otherwise.
    public static func read(
        _ interface: String = "", procRoot: String = "/proc", powerSaving: (String) -> Int32 = systemPowerSaving
    ) -> Wireless? {
        for words in procWords(procRoot + "/net/wireless") {
            // " wlan0: 0000   57.  -53.  -256 …": status, quality, level, noise; a full stop behind what is fresh.
            guard words.count >= 4, words[0].last == UInt8(ascii: ":") else { continue }
            let name = String(decoding: words[0].dropLast(), as: UTF8.self)
            if !interface.isEmpty, name != interface { continue }
            var digits = words[3]
            let isNegative = digits.first == UInt8(ascii: "-")
            if isNegative { digits.removeFirst() }
            if digits.last == UInt8(ascii: ".") { digits.removeLast() }
            guard let size = number(digits, base: 10), size <= 256 else { continue }
            let level = isNegative ? 0 - Int(size) : Int(size)
            let saving = powerSaving(name)
            // Some drivers count up from 0 instead of down from 0 (a byte that is meant as −256…−1).
            return Wireless(
                interface: name, signalDecibels: level > 63 ? level - 256 : level,
                isSavingPower: saving < 0 ? nil : saving == 1)
        }
        return nil
    }
}

/// The kernel's answer for an interface: 1 on, 0 off, −1 unknown.
public func systemPowerSaving(_ interface: String) -> Int32 { puck_wifi_power_saving(interface) }
