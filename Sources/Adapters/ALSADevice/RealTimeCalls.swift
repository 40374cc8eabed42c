import CALSA
import CLinux

// The C calls of the real-time path, one a function. The compiler cannot look into them, so these lines are what a
// reviewer has to read: none of them locks or allocates in libasound's hardware layer, except for the PCM's own mutex,
// which no other thread of ours takes.

@_semantics("no_performance_analysis") @inline(never)
func readFrames(_ pcm: OpaquePointer, _ buffer: UnsafeMutableRawPointer, _ frames: Int) -> Int {
    snd_pcm_readi(pcm, buffer, snd_pcm_uframes_t(frames))
}

@_semantics("no_performance_analysis") @inline(never)
func writeFrames(_ pcm: OpaquePointer, _ buffer: UnsafeRawPointer, _ frames: Int) -> Int {
    snd_pcm_writei(pcm, buffer, snd_pcm_uframes_t(frames))
}

@_semantics("no_performance_analysis") @inline(never)
func fillDescriptors(_ pcm: OpaquePointer, _ descriptors: UnsafeMutablePointer<pollfd>, _ count: UInt32) -> Int32 {
    snd_pcm_poll_descriptors(pcm, descriptors, count)
}

@_semantics("no_performance_analysis") @inline(never)
func pollDescriptors(_ descriptors: UnsafeMutablePointer<pollfd>, _ count: Int32, _ milliseconds: Int32) -> Int32 {
    poll(descriptors, nfds_t(count), milliseconds) < 0 ? 0 &- puck_errno() : 0
}

@_semantics("no_performance_analysis") @inline(never)
func readyEvents(_ pcm: OpaquePointer, _ descriptors: UnsafeMutablePointer<pollfd>, _ count: Int32) -> UInt16 {
    var events: UInt16 = 0
    return snd_pcm_poll_descriptors_revents(pcm, descriptors, UInt32(count), &events) < 0 ? UInt16(POLLERR) : events
}

@_semantics("no_performance_analysis") @inline(never)
func monotonicTime(_ time: inout timespec) { clock_gettime(CLOCK_MONOTONIC, &time) }

@_semantics("no_performance_analysis") @inline(never)
func preparePCM(_ pcm: OpaquePointer) -> Int32 { snd_pcm_prepare(pcm) }

@_semantics("no_performance_analysis") @inline(never)
func startPCM(_ pcm: OpaquePointer) -> Int32 { snd_pcm_start(pcm) }

@_semantics("no_performance_analysis") @inline(never)
func dropPCM(_ pcm: OpaquePointer) -> Int32 { snd_pcm_drop(pcm) }

@_semantics("no_performance_analysis") @inline(never)
func resumePCM(_ pcm: OpaquePointer) -> Int32 { snd_pcm_resume(pcm) }

@_semantics("no_performance_analysis") @inline(never)
func delayFrames(_ pcm: OpaquePointer, _ frames: inout Int) -> Int32 { snd_pcm_delay(pcm, &frames) }

@_semantics("no_performance_analysis") @inline(never)
func fillStatus(_ pcm: OpaquePointer, _ status: OpaquePointer) -> Int32 { snd_pcm_status(pcm, status) }

@_semantics("no_performance_analysis") @inline(never)
func state(in status: OpaquePointer) -> UInt32 { snd_pcm_status_get_state(status).rawValue }

@_semantics("no_performance_analysis") @inline(never)
func available(in status: OpaquePointer) -> Int { Int(bitPattern: snd_pcm_status_get_avail(status)) }

@_semantics("no_performance_analysis") @inline(never)
func triggerTime(in status: OpaquePointer, _ time: inout timespec) {
    snd_pcm_status_get_trigger_htstamp(status, &time)
}

@_semantics("no_performance_analysis") @inline(never)
func timestamp(_ pcm: OpaquePointer, _ available: inout snd_pcm_uframes_t, _ time: inout timespec) -> Int32 {
    snd_pcm_htimestamp(pcm, &available, &time)
}

@_semantics("no_performance_analysis") @inline(never)
func pause(_ time: inout timespec) { nanosleep(&time, nil) }

@_semantics("no_performance_analysis") @inline(never)
func zeroFill(_ buffer: UnsafeMutableRawPointer, _ bytes: Int) { memset(buffer, 0, bytes) }

/// Nanoseconds of the monotonic clock.
@_noLocks @_noAllocation
func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    monotonicTime(&time)
    return nanoseconds(time)
}

@_noLocks @_noAllocation
func nanoseconds(_ time: timespec) -> Int64 {
    Int64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ Int64(truncatingIfNeeded: time.tv_nsec)
}
