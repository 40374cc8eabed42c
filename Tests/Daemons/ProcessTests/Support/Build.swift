import Foundation
import RepositoryFiles

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

    /// The sound device's plugin: in `PUCK_FAKE_ALSA`, a folder, or made here.
    static let plugin = Result<String, any Error> {
        try made("FakeALSA", in: "PUCK_FAKE_ALSA").appending(path: "libasound_module_pcm_puckfake.so").path
    }

    /// The folder that holds the fake libgpiod: `PUCK_FAKE_GPIO_LIBRARY`, or made here.
    static let gpioLibrary = Result<String, any Error> { try made("FakeGPIO", in: "PUCK_FAKE_GPIO_LIBRARY").path }

    /// The folder that an environment variable names, or one into which a folder of Tests is made.
    private static func made(_ name: String, in variable: String) throws -> URL {
        if let named = ProcessInfo.processInfo.environment[variable] { return URL(filePath: named) }
        let source = RepositoryFiles.url("Tests/Fixtures/\(name)")
        let output = folder.appending(path: name.lowercased())
        let make = Process()
        make.executableURL = URL(filePath: "/usr/bin/env")
        make.arguments = ["make", "-s", "-C", source.path, "OUT=\(output.path)"]
        try make.run()
        make.waitUntilExit()
        guard make.terminationStatus == 0 else { throw Disappointment("make -C \(source.path) failed") }
        return output
    }
}
