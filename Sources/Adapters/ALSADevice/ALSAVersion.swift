import CALSA

/// Of the library that this process runs with, which an upgrade may have replaced on disk.
public func alsaVersion() -> String { String(cString: snd_asoundlib_version()) }
