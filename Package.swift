// swift-tools-version: 6.2
import PackageDescription

// Layers from the bottom to the top, as the folders of Sources/ and Tests/. What may import what stands in
// scripts/layers; scripts/lint checks it. C libraries are Debian packages, which scripts/setup installs; nothing is
// fetched from the network.

let package = Package(
    name: "puck",
    products: ["puckd", "puckhub", "puckctl", "puckdemo", "pucksim", "puckseeds"].map {
        .executable(name: $0, targets: [$0])
    },
    targets: cLibraries() + core() + adapters() + daemons() + tools() + fixtures() + tests() + fuzzing()
)

/// C libraries, and shims for what Swift cannot express.
func cLibraries() -> [Target] {
    [
        debianLibrary("CALSA", pkgConfig: "alsa", package: "libasound2-dev"),
        debianLibrary("COpus", pkgConfig: "opus", package: "libopus-dev"),
        debianLibrary("CSpeexDSP", pkgConfig: "speexdsp", package: "libspeexdsp-dev"),
        debianLibrary("CJansson", pkgConfig: "jansson", package: "libjansson-dev"),
        debianLibrary("CINI", pkgConfig: "inih", package: "libinih-dev"),
        debianLibrary("CWebSockets", pkgConfig: "libwebsockets", package: "libwebsockets-dev"),
        debianLibrary("COpenSSL", pkgConfig: "openssl", package: "libssl-dev"),
        .systemLibrary(name: "CMath", path: "Sources/C/CMath"),
        module("C", "CLinux"),
        module("C", "COpusShim"),
        module("C", "CALSAShim", ["CALSA"]),
        // Compiled against libgpiod, which it loads when it is needed.
        module("C", "CGPIOD"),
    ]
}

/// No I/O, no clock, no random source: bytes and events in, values and effects out.
func core() -> [Target] {
    [
        module("Core", "PuckBase", linkerSettings: [.linkedLibrary("m")]),
        module("Core", "PuckWire", ["PuckBase", "CJansson"]),
        module("Core", "TokenList", ["PuckBase"]),
        module("Core", "AudioRing"),
        module("Core", "WAVFile"),
        module("Core", "PuckAudio", ["PuckBase", "AudioRing", "CMath"]),
        module("Core", "WakeModel", computing: true),
        module("Core", "WakeWord", ["PuckBase", "PuckAudio", "WakeModel", "CJansson"], computing: true),
        module("Core", "PuckCore", ["PuckBase", "PuckWire", "PuckAudio"]),
        module("Core", "HubCore", ["PuckBase", "PuckWire", "CMath"]),
    ]
}

/// One outside thing each. They do not import each other.
func adapters() -> [Target] {
    [
        module("Adapters", "LinuxIO", ["PuckBase", "CLinux"]),
        module("Adapters", "ALSADevice", ["PuckBase", "AudioRing", "CALSA", "CALSAShim", "CLinux"]),
        module("Adapters", "BoardIO", ["PuckBase", "CGPIOD", "CLinux"]),
        module("Adapters", "Resampler", ["PuckBase", "CSpeexDSP"]),
        module("Adapters", "OpusCodec", ["PuckBase", "COpus", "COpusShim"]),
        module(
            "Adapters", "LinkTransport", ["PuckBase", "CWebSockets", "CLinux"],
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        module("Adapters", "Credentials", ["PuckBase", "TokenList", "COpenSSL", "CLinux"]),
        module("Adapters", "Settings", ["PuckBase", "CINI", "CLinux"]),
    ]
}

/// What is installed: for each daemon a library that a test can drive, and a thin command.
func daemons() -> [Target] {
    [
        module(
            "Daemons", "Joining", ["PuckBase", "PuckWire", "CLinux", "LinuxIO", "LinkTransport", "Credentials"]),
        module("Daemons", "WakeFiles", ["PuckBase", "CLinux", "WakeModel", "WakeWord", "LinuxIO"]),
        module(
            "Daemons", "PuckRuntime",
            [
                "PuckCore", "CLinux", "LinuxIO", "ALSADevice", "BoardIO", "Resampler", "OpusCodec", "LinkTransport",
                "Settings", "WAVFile", "WakeModel", "WakeWord", "WakeFiles",
            ]),
        module("Daemons", "HubService", ["PuckBase", "PuckWire", "TokenList", "HubCore"]),
        module(
            "Daemons", "HubRuntime",
            [
                "HubService", "HubCore", "TokenList", "LinuxIO", "OpusCodec", "LinkTransport", "Credentials",
                "Settings",
                "WAVFile",
            ]),
        command("Daemons", "puckd", ["PuckRuntime", "CLinux"]),
        command("Daemons", "puckhub", ["HubRuntime"]),
        command(
            "Daemons", "puckctl",
            [
                "Joining", "LinuxIO", "PuckBase", "PuckWire", "PuckCore", "Resampler", "WAVFile", "CLinux", "WakeModel",
                "WakeWord", "WakeFiles",
            ]),
    ]
}

/// For developers: ordinary Swift, Foundation allowed (but in Simulator and puckseeds, which run on boards too).
func tools() -> [Target] {
    [
        module(
            "Tools", "Simulator",
            ["PuckBase", "PuckWire", "TokenList", "PuckAudio", "PuckCore", "HubCore", "HubService"], mutable: true),
        command("Tools", "pucksim", ["Simulator", "PuckBase"], mutable: true),
        command("Tools", "puckseeds", ["Simulator", "LinuxIO", "CLinux"]),
        command("Tools", "puckarbiter", ["HubCore", "PuckAudio", "PuckBase", "PuckWire"]),
        command("Tools", "puckdemo", ["LinuxIO", "PuckBase", "WAVFile"]),
    ]
}

/// What tests share. FakeALSA and FakeGPIO beside them are built by make.
func fixtures() -> [Target] {
    [
        .target(name: "RepositoryFiles", path: "Tests/Fixtures/RepositoryFiles"),
        // A hub that means harm.
        .target(name: "RogueHub", dependencies: ["CWebSockets", "CLinux"], path: "Tests/Fixtures/RogueHub"),
    ]
}

func tests() -> [Target] {
    [
        tests("Core", "PuckBaseTests", ["PuckBase"]),
        tests("Core", "PuckWireTests", ["PuckWire"]),
        tests("Core", "AudioRingTests", ["AudioRing", "CLinux"]),
        tests("Core", "WAVFileTests", ["WAVFile"]),
        tests("Core", "PuckAudioTests", ["PuckAudio"]),
        tests("Core", "WakeModelTests", ["WakeModel", "CLinux"], exclude: ["Operators"], computing: true),
        tests("Core", "WakeWordTests", ["WakeWord", "WakeModel", "PuckAudio", "PuckBase", "CLinux"], computing: true),
        tests("Core", "PuckCoreTests", ["PuckCore", "RepositoryFiles"]),
        tests("Core", "HubCoreTests", ["HubCore", "RepositoryFiles"]),

        tests("Adapters", "LinuxIOTests", ["LinuxIO", "PuckBase", "CLinux"]),
        tests("Adapters", "ALSADeviceTests", ["ALSADevice", "CALSA", "CLinux", "WAVFile", "RepositoryFiles"]),
        tests("Adapters", "ResamplerTests", ["Resampler"]),
        tests("Adapters", "OpusCodecTests", ["OpusCodec", "PuckBase"]),
        tests(
            "Adapters", "LinkTransportTests", ["LinkTransport", "Credentials", "RogueHub", "CWebSockets", "CLinux"]),
        tests("Adapters", "CredentialsTests", ["Credentials", "CLinux", "COpenSSL", "RepositoryFiles"]),
        tests("Adapters", "SettingsTests", ["Settings", "PuckBase", "CLinux"]),

        tests("Daemons", "JoiningTests", ["Joining", "Credentials"]),
        tests(
            "Daemons", "PuckRuntimeTests",
            [
                "PuckRuntime", "PuckCore", "PuckAudio", "AudioRing", "BoardIO", "OpusCodec", "PuckWire", "PuckBase",
                "ALSADevice", "Resampler", "LinkTransport", "LinuxIO", "Settings", "CLinux", "WAVFile",
            ]),
        tests("Daemons", "HubServiceTests", ["HubService", "HubCore", "TokenList", "PuckWire", "PuckBase"]),
        tests(
            "Daemons", "HubRuntimeTests",
            ["puckhub", "PuckWire", "PuckBase", "OpusCodec", "WAVFile", "LinuxIO", "COpenSSL"]),
        tests(
            "Daemons", "ConfigurationTests",
            [
                "PuckRuntime", "HubService", "HubRuntime", "Settings", "LinuxIO", "ALSADevice", "LinkTransport",
                "PuckCore",
                "HubCore", "PuckWire", "PuckBase", "RepositoryFiles",
            ]),
        tests("Daemons", "PuckctlTests", ["puckctl", "LinuxIO", "WAVFile"]),
        tests(
            "Daemons", "ProcessTests",
            [
                "puckd", "puckhub", "puckctl", "PuckBase", "PuckAudio", "PuckWire", "LinuxIO", "Credentials",
                "OpusCodec", "WAVFile", "RogueHub", "RepositoryFiles", "CLinux", "CWebSockets",
            ]),

        tests("Tools", "SimulatorTests", ["Simulator", "pucksim", "RepositoryFiles"]),
        tests("Tools", "PuckDemoTests", ["puckdemo"]),
    ]
}

/// Coverage-guided fuzzing (`make fuzz`), out of the way of every other build.
func fuzzing() -> [Target] {
    if Context.environment["PUCK_FUZZ"] == nil { return [] }
    return [
        .systemLibrary(name: "CFuzzer", path: "Fuzz/CFuzzer"),
        .executableTarget(
            name: "puckfuzz",
            dependencies: [
                "CFuzzer", "PuckBase", "PuckWire", "PuckCore", "HubCore", "Settings", "WAVFile", "PuckRuntime",
                "HubRuntime", "Credentials", "Joining", "WakeModel", "WakeWord",
            ],
            path: "Fuzz/Targets"),
    ]
}

// MARK: Kinds of targets

/// In the copy that `scripts/mutate` makes, which has deliberate bugs: the simulator can choose one (`make test-mutants`).
func mutations() -> [SwiftSetting] { Context.environment["PUCK_MUTATIONS"] == "1" ? [.define("MUTATIONS")] : [] }

/// Optimized in debug builds, too, where vectors are otherwise taken apart into calls, a hundred times slower.
func fast() -> [SwiftSetting] { [.unsafeFlags(["-O"], .when(configuration: .debug))] }

/// A C library that Debian packages: a module map, and flags from pkg-config.
func debianLibrary(_ name: String, pkgConfig: String, package: String) -> Target {
    .systemLibrary(name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([package])])
}

/// - Parameters:
///   - mutable: can choose a deliberate bug.
///   - computing: its tests compute for minutes of sound.
func module(
    _ layer: String, _ name: String, _ dependencies: [Target.Dependency] = [], mutable: Bool = false,
    computing: Bool = false, linkerSettings: [LinkerSetting] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(layer)/\(name)",
        swiftSettings: (mutable ? mutations() : []) + (computing ? fast() : []), linkerSettings: linkerSettings)
}

func command(
    _ layer: String, _ name: String, _ dependencies: [Target.Dependency], mutable: Bool = false
) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/\(layer)/\(name)",
        swiftSettings: mutable ? mutations() : [])
}

func tests(
    _ layer: String, _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [],
    computing: Bool = false
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(layer)/\(name)", exclude: exclude,
        swiftSettings: computing ? fast() : [])
}
