// swift-tools-version: 6.2
import PackageDescription

// What may import what is documented in docs/ARCHITECTURE.md and checked by scripts/lint.
// C libraries are Debian packages (scripts/setup installs them); nothing is fetched from the network.

/// A C library that Debian packages: a module map in Sources/, flags from pkg-config.
func debianLibrary(_ name: String, pkgConfig: String, package: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

/// PUCK_MUTATIONS=1 builds deliberate bugs in, for the simulator to find (`make test-mutants`). Never shipped.
let mutations: [SwiftSetting] = Context.environment["PUCK_MUTATIONS"] == "1" ? [.define("MUTATIONS")] : []

/// For a module whose tests compute for minutes of sound: optimized in debug builds, too, where vectors are otherwise
/// taken apart into calls, a hundred times slower.
let computing: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

let package = Package(
    name: "puck",
    products: [
        .executable(name: "puckd", targets: ["puckd"]),
        .executable(name: "puckhub", targets: ["puckhub"]),
        .executable(name: "puckctl", targets: ["puckctl"]),
        .executable(name: "puckdemo", targets: ["puckdemo"]),
        .executable(name: "pucksim", targets: ["pucksim"]),
        .executable(name: "puckseeds", targets: ["puckseeds"]),
    ],
    targets: [
        // C libraries and shims.
        debianLibrary("CALSA", pkgConfig: "alsa", package: "libasound2-dev"),
        debianLibrary("COpus", pkgConfig: "opus", package: "libopus-dev"),
        debianLibrary("CSpeexDSP", pkgConfig: "speexdsp", package: "libspeexdsp-dev"),
        debianLibrary("CJansson", pkgConfig: "jansson", package: "libjansson-dev"),
        debianLibrary("CINI", pkgConfig: "inih", package: "libinih-dev"),
        debianLibrary("CWebSockets", pkgConfig: "libwebsockets", package: "libwebsockets-dev"),
        debianLibrary("COpenSSL", pkgConfig: "openssl", package: "libssl-dev"),
        .systemLibrary(name: "CMath"),
        .target(name: "CLinux"),
        .target(name: "COpusShim"),
        .target(name: "CALSAShim", dependencies: ["CALSA"]),
        // Compiled against libgpiod, loads it when it is needed.
        .target(name: "CGPIOD"),

        // The core: no I/O, no clock, no random source.
        .target(name: "PuckBase", swiftSettings: mutations, linkerSettings: [.linkedLibrary("m")]),
        .target(name: "PuckWire", dependencies: ["PuckBase", "CJansson"]),
        .target(name: "AudioRing"),
        .target(name: "PuckAudio", dependencies: ["PuckBase", "AudioRing", "CMath"]),
        .target(name: "WakeModel", swiftSettings: computing),
        .target(name: "PuckCore", dependencies: ["PuckBase", "PuckWire", "PuckAudio"], swiftSettings: mutations),
        .target(name: "HubCore", dependencies: ["PuckBase", "PuckWire", "CMath"], swiftSettings: mutations),

        // File formats: bytes in, values out.
        .target(name: "WAVFile"),

        // Adapters: one C library each, never importing each other.
        .target(name: "LinuxIO", dependencies: ["PuckBase", "CLinux"]),
        .target(name: "ALSADevice", dependencies: ["PuckBase", "AudioRing", "CALSA", "CALSAShim", "CLinux"]),
        .target(name: "BoardIO", dependencies: ["PuckBase", "CGPIOD", "CLinux"]),
        .target(name: "Resampler", dependencies: ["PuckBase", "CSpeexDSP"]),
        .target(name: "OpusCodec", dependencies: ["PuckBase", "COpus", "COpusShim"]),
        .target(
            name: "LinkTransport", dependencies: ["PuckBase", "CWebSockets", "CLinux"],
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(name: "Credentials", dependencies: ["PuckBase", "COpenSSL", "CLinux"]),
        .target(name: "Settings", dependencies: ["PuckBase", "CINI", "CLinux"]),

        // The daemons: a library that a test can drive, and a thin command each.
        .target(
            name: "PuckRuntime",
            dependencies: [
                "PuckCore", "CLinux", "LinuxIO", "ALSADevice", "BoardIO", "Resampler", "OpusCodec", "LinkTransport",
                "Settings", "WAVFile",
            ]),
        .target(
            name: "HubRuntime",
            dependencies: ["HubCore", "LinuxIO", "OpusCodec", "LinkTransport", "Credentials", "Settings", "WAVFile"]),
        .executableTarget(name: "puckd", dependencies: ["PuckRuntime", "CLinux"]),
        .executableTarget(name: "puckhub", dependencies: ["HubRuntime"]),
        // What `puckctl` does about hubs: puckd runs it as a child.
        .target(
            name: "Joining",
            dependencies: ["PuckBase", "PuckWire", "CLinux", "LinuxIO", "LinkTransport", "Credentials"]),
        .executableTarget(
            name: "puckctl",
            dependencies: ["Joining", "LinuxIO", "PuckBase", "PuckCore", "Resampler", "WAVFile", "CLinux"]),

        // A developer's tools: ordinary Swift, Foundation allowed.
        .executableTarget(name: "puckdemo", dependencies: ["LinuxIO", "PuckBase", "WAVFile"]),
        .executableTarget(name: "puckarbiter", dependencies: ["HubCore", "PuckAudio", "PuckBase", "PuckWire"]),

        .target(
            name: "Simulator", dependencies: ["PuckBase", "PuckWire", "PuckAudio", "PuckCore", "HubCore"],
            swiftSettings: mutations),
        .executableTarget(name: "pucksim", dependencies: ["Simulator", "PuckBase"], swiftSettings: mutations),
        .executableTarget(name: "puckseeds", dependencies: ["Simulator", "LinuxIO", "CLinux"]),

        .testTarget(name: "PuckBaseTests", dependencies: ["PuckBase"]),
        .testTarget(name: "CredentialsTests", dependencies: ["Credentials", "CLinux", "COpenSSL"]),
        // For tests only: a hub that means harm.
        .target(name: "RogueHub", dependencies: ["CWebSockets", "CLinux"], path: "Tests/RogueHub"),
        .testTarget(
            name: "LinkTransportTests",
            dependencies: ["LinkTransport", "Credentials", "RogueHub", "CWebSockets", "CLinux"]),
        .testTarget(name: "PuckWireTests", dependencies: ["PuckWire"]),
        .testTarget(name: "PuckAudioTests", dependencies: ["PuckAudio"]),
        .testTarget(
            name: "WakeModelTests", dependencies: ["WakeModel", "CLinux"], exclude: ["Operators"],
            swiftSettings: computing),
        .testTarget(name: "PuckCoreTests", dependencies: ["PuckCore"]),
        .testTarget(name: "OpusCodecTests", dependencies: ["OpusCodec", "PuckBase"]),
        .testTarget(name: "ResamplerTests", dependencies: ["Resampler"]),
        .testTarget(name: "WAVFileTests", dependencies: ["WAVFile"]),
        .testTarget(name: "HubCoreTests", dependencies: ["HubCore"]),
        .testTarget(
            name: "HubRuntimeTests",
            dependencies: ["puckhub", "PuckWire", "PuckBase", "OpusCodec", "WAVFile", "LinuxIO", "COpenSSL"]),
        .testTarget(
            name: "ProcessTests",
            dependencies: [
                "puckd", "puckhub", "puckctl", "PuckBase", "PuckAudio", "PuckWire", "LinuxIO", "Credentials",
                "OpusCodec", "WAVFile", "RogueHub", "CLinux", "CWebSockets",
            ]),
        .testTarget(name: "PuckctlTests", dependencies: ["puckctl", "LinuxIO", "WAVFile"]),
        .testTarget(name: "JoiningTests", dependencies: ["Joining", "Credentials"]),
        .testTarget(name: "PuckDemoTests", dependencies: ["puckdemo"]),
        .testTarget(name: "SimulatorTests", dependencies: ["Simulator", "pucksim"]),
        .testTarget(
            name: "PuckRuntimeTests",
            dependencies: [
                "PuckRuntime", "PuckCore", "PuckAudio", "AudioRing", "BoardIO", "OpusCodec", "PuckWire", "PuckBase",
                "ALSADevice", "Resampler", "LinkTransport", "LinuxIO", "Settings", "CLinux", "WAVFile",
            ]),
        .testTarget(name: "ALSADeviceTests", dependencies: ["ALSADevice", "CALSA", "CLinux", "WAVFile"]),
        .testTarget(name: "AudioRingTests", dependencies: ["AudioRing", "CLinux"]),
        .testTarget(name: "LinuxIOTests", dependencies: ["LinuxIO", "PuckBase", "CLinux"]),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "PuckBase", "CLinux"]),
        .testTarget(
            name: "ConfigurationTests",
            dependencies: [
                "PuckRuntime", "HubRuntime", "Settings", "LinuxIO", "ALSADevice", "LinkTransport", "PuckCore",
                "HubCore",
                "PuckWire", "PuckBase",
            ]),
    ]
)

// Coverage-guided fuzzing (`make fuzz`), out of the way of every other build.
if Context.environment["PUCK_FUZZ"] != nil {
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Fuzz/CFuzzer"),
        .executableTarget(
            name: "puckfuzz",
            dependencies: [
                "CFuzzer", "PuckBase", "PuckWire", "PuckCore", "HubCore", "Settings", "WAVFile", "PuckRuntime",
                "HubRuntime", "Credentials", "Joining", "WakeModel",
            ],
            path: "Fuzz/Targets"),
    ]
}
