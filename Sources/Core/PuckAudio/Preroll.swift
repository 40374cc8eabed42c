/// Where encoding starts, so that the wake word itself is sent.
public enum Preroll {
    /// The position `prerollSamples` before `onset`, moved earlier to the border of a packet that ends where a capture
    /// period ends: then each later packet is complete the moment its period arrives, and waits for nothing.
    ///
    /// - Parameters:
    ///   - onset: where the word begins.
    ///   - prerollSamples: wanted before the onset; not negative.
    ///   - newest: the ring's newest position, which is the end of a period.
    ///   - oldest: the oldest position that the ring can still give, with a margin for the period being written now.
    ///   - packet: samples of one packet.
    public static func start(onset: Int64, prerollSamples: Int64, newest: Int64, oldest: Int64, packet: Int64) -> Int64
    {
        let wanted = max(onset - prerollSamples, oldest, 0)
        let packets = (newest - wanted + packet - 1) / packet
        var start = newest - packets * packet
        while start < max(oldest, 0) { start += packet }
        return min(start, newest)
    }
}
