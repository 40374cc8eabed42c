import Foundation

/// Where the programs and the fake sound device are that the tests run.
enum Build {
    /// `PUCK_BIN_DIR`, or the folder of the test program itself, where SwiftPM puts them all.
    static let folder: URL = {
        if let named = ProcessInfo.processInfo.environment["PUCK_BIN_DIR"] { return URL(filePath: named) }
        return URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }()

    static func program(_ name: String) throws -> String {
        let path = folder.appending(path: name).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Disappointment("\(path) is missing: build it with 'swift build', or name its folder in PUCK_BIN_DIR")
        }
        return path
    }

    /// The plugin's file: in `PUCK_FAKE_ALSA`, a folder, or made here.
    static let plugin = Result<String, any Error> {
        let name = "libasound_module_pcm_puckfake.so"
        if let named = ProcessInfo.processInfo.environment["PUCK_FAKE_ALSA"] {
            return URL(filePath: named).appending(path: name).path
        }
        let source = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "FakeALSA")
        let output = folder.appending(path: "fake-alsa")
        let make = Process()
        make.executableURL = URL(filePath: "/usr/bin/env")
        make.arguments = ["make", "-s", "-C", source.path, "OUT=\(output.path)"]
        try make.run()
        make.waitUntilExit()
        guard make.terminationStatus == 0 else { throw Disappointment("make -C \(source.path) failed") }
        return output.appending(path: name).path
    }
}
