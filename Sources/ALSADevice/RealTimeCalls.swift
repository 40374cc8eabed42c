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

/// 1: ready, 0: timed out, negative: errno.
@_semantics("no_performance_analysis") @inline(never)
func waitFrames(_ pcm: OpaquePointer, _ milliseconds: Int32) -> Int32 { snd_pcm_wait(pcm, milliseconds) }

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

@_noLocks @_noAllocation
func nanoseconds(_ time: timespec) -> Int64 {
    Int64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ Int64(truncatingIfNeeded: time.tv_nsec)
}
