import CFuzzer
import CLinux

// usage: puckfuzz TARGET [libFuzzer's options] [CORPUS ... | FILE ...]
// With one or more files instead of folders, runs just those; with PUCK_FUZZ_TRACE set, says what they mean.

typealias Target = (UnsafeRawBufferPointer) -> Void

let targets: [(name: String, run: Target)] = [
    ("message", fuzzMessage),
    ("puck-control", fuzzPuckControl),
    ("hub-control", fuzzHubControl),
    ("pairing", fuzzPairing),
    ("joining", fuzzJoining),
    ("puckd-conf", fuzzPuckSettings),
    ("puckhub-conf", fuzzHubSettings),
    ("wav", fuzzWAV),
    ("wake-model", fuzzWakeModel),
    ("wake-manifest", fuzzWakeManifest),
    ("replay-log", fuzzReplayLog),
    ("uplink-window", fuzzUplinkWindow),
    ("playback", fuzzPlayback),
]

let isTraced = getenv("PUCK_FUZZ_TRACE") != nil

/// Says what an input means, when somebody wants to know.
func trace(_ text: @autoclosure () -> String) {
    guard isTraced else { return }
    print(text())
    fflush(nil)  // before the crash
}

/// A promise that an input must not break.
func promise(_ holds: Bool, _ text: @autoclosure () -> String) {
    if !holds { fatalError("broken promise: " + text()) }
}

// To merge corpora libFuzzer starts this program again, with its own arguments only.
let inherited = getenv("PUCK_FUZZ_TARGET").map { String(cString: $0) }
let name = inherited ?? CommandLine.arguments.dropFirst().first ?? ""
if name == "--list" {
    for target in targets { print(target.name) }
    exit(0)
}
guard let chosen = targets.first(where: { $0.name == name }) else {
    print("usage: puckfuzz TARGET [options of libFuzzer] [FOLDER ... | FILE ...]; puckfuzz --list names the targets")
    exit(2)
}
let run = chosen.run
setenv("PUCK_FUZZ_TARGET", name, 1)
let options = CommandLine.arguments.dropFirst(inherited == nil ? 2 : 1)
var words = (CommandLine.arguments.prefix(1) + options).map { strdup($0) }
var count = Int32(words.count)
words.append(nil)
let status = words.withUnsafeMutableBufferPointer { buffer in
    var arguments = buffer.baseAddress
    return LLVMFuzzerRunDriver(&count, &arguments) { data, size in
        run(UnsafeRawBufferPointer(start: data, count: size))
        return 0
    }
}
exit(status)
