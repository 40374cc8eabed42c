import CLinux
import CWebSockets

/// Where a loop's log lines go. libwebsockets has one log function per process and no pointer of the user's in it, so
/// the sink of the loop that runs on the current thread is kept in a thread-specific value.
final class LogSink {
    private let write: (TransportLogLevel, String) -> Void

    /// For lines of libwebsockets'; nil: they are written as they are.
    var aside: ((TransportLogLevel, String) -> Void)?

    init(_ write: @escaping (TransportLogLevel, String) -> Void) {
        self.write = write
        _ = Self.installed
    }

    func write(_ level: TransportLogLevel, _ text: String) { write(level, text) }

    /// Makes this the sink of the calling thread.
    func activate() { pthread_setspecific(Self.key, Unmanaged.passUnretained(self).toOpaque()) }

    func deactivate() {
        if pthread_getspecific(Self.key) == Unmanaged.passUnretained(self).toOpaque() {
            pthread_setspecific(Self.key, nil)
        }
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = pthread_key_create(&key, nil)
        precondition(result == 0, "no thread-specific key is left for the log")
        return key
    }()

    /// Set once per process: errors and warnings only, never to stderr.
    private static let installed: Bool = {
        lws_set_log_level(Int32(LLL_ERR | LLL_WARN)) { level, line in
            guard let line, let current = pthread_getspecific(LogSink.key) else { return }
            var text = String(cString: line)
            while let last = text.utf8.last, last == 10 || last == 32 { text.removeLast() }
            let sink = Unmanaged<LogSink>.fromOpaque(current).takeUnretainedValue()
            let severity: TransportLogLevel = level & Int32(LLL_ERR) != 0 ? .error : .warning
            (sink.aside ?? sink.write)(severity, "libwebsockets: " + text)
        }
        return true
    }()
}
