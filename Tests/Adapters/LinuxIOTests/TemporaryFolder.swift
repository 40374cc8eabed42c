import CLinux

/// A folder for one test, which removes it, with the files in it, in a `defer`.
struct TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/puck-test-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    func remove() {
        for name in names { unlink(path + "/" + name) }
        rmdir(path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    var names: [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var found: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { found.append(name) }
        }
        return found
    }
}
