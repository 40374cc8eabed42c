import COpus

/// Of the library that this process runs with, which an upgrade may have replaced on disk; such as "libopus 1.3.1".
public func opusVersion() -> String { String(cString: opus_get_version_string()) }
