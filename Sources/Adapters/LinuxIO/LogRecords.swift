import PuckBase

extension Log {
    /// Writes what the core wants logged.
    public func write(_ record: LogRecord) {
        let level: LogLevel =
            switch record.level {
            case .error: .error
            case .warning: .warning
            case .notice: .notice
            case .info: .info
            case .debug: .debug
            }
        self.record(level, record.event.text, record.fields.map { Field($0.key.text, $0.value) })
    }
}
