import Foundation

@main
struct Command {
    static func main() {
        let options: Options
        do throws(Options.Misuse) {
            options = try Options(arguments: Array(CommandLine.arguments.dropFirst()))
        } catch { fail(error.message) }
        if options.wantsHelp {
            Output.write(Options.help)
            return
        }
        Interruption.watch()
        do throws(DemoError) {
            let folder = try makeFolder(options.keep)
            exit(try demonstrate(options, in: folder))
        } catch { fail(error.message) }
    }

    /// - Returns: the exit status.
    private static func demonstrate(_ options: Options, in folder: URL) throws(DemoError) -> Int32 {
        let checks: [Check]
        do throws(DemoError) {
            checks = try Demonstration(options: options, folder: folder).run()
        } catch {
            // A sentence that cannot be said, and a run that was broken off, leave nothing worth keeping.
            let hasBegun = FileManager.default.fileExists(atPath: folder.appending(path: "puckhub.conf").path)
            if options.keep != nil || hasBegun && !Interruption.came {
                throw DemoError(error.message + "\nRecordings and logs: \(folder.path)")
            }
            try? FileManager.default.removeItem(at: folder)
            throw error
        }
        for line in Report.verdict(checks, paint: Paint(isOn: isatty(1) == 1 && !options.isPlain)) { Output.line(line) }
        let failed = checks.filter { !$0.passed }
        if failed.isEmpty, options.keep == nil { try? FileManager.default.removeItem(at: folder) }
        Output.line("")
        if !failed.isEmpty { Output.line("failed: " + failed.map { $0.title }.joined(separator: "; ")) }
        if !failed.isEmpty || options.keep != nil { Output.line("recordings and logs: \(folder.path)") }
        if failed.isEmpty { Output.line("All as it should be.") }
        return failed.isEmpty ? 0 : 1
    }

    /// A new folder: the one asked for, or a temporary one.
    private static func makeFolder(_ wanted: String?) throws(DemoError) -> URL {
        guard let wanted else {
            var template = Array((NSTemporaryDirectory() + "/puckdemo.XXXXXX").utf8CString)
            guard mkdtemp(&template) != nil else {
                throw DemoError("cannot make a temporary folder: \(String(cString: strerror(errno)))")
            }
            return URL(filePath: String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
                .standardizedFileURL
        }
        let folder = URL(filePath: wanted).standardizedFileURL
        let content = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        guard content?.isEmpty ?? true else {
            throw DemoError("\(folder.path) is not empty: name a new folder with --keep")
        }
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw DemoError("cannot make \(folder.path): \(error.localizedDescription)")
        }
        return folder
    }

    private static func fail(_ message: String) -> Never {
        Output.write("puckdemo: \(message)\n", to: 2)
        exit(2)
    }
}
