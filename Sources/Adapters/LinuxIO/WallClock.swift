import CLinux

/// The time of the day where this machine stands.
public enum WallClock {
    /// Seconds of Unix time, as this machine believes them to be.
    public static func unixSeconds() -> Int64 { Int64(time(nil)) }

    /// Seconds since midnight, 0…86,399: for what follows the hours of the house, never for measuring.
    public static func secondOfDay() -> Int {
        var now = time(nil)
        var local = tm()
        tzset()  // the zone may have been changed
        localtime_r(&now, &local)
        return Int(local.tm_hour) * 3600 + Int(local.tm_min) * 60 + min(Int(local.tm_sec), 59)
    }
}
