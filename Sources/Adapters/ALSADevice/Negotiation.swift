import CALSA
import CALSAShim
import CLinux
import PuckBase

/// An open PCM with its parameters set. The owner closes it.
struct OpenPCM {
    let pcm: OpaquePointer
    let format: NegotiatedFormat
}

/// Opens a device and agrees with it on a format.
func openPCM(_ request: PCMRequest, _ direction: Direction) throws(DeviceError) -> OpenPCM {
    try request.check(direction)
    puck_alsa_catch_messages()
    puck_alsa_forget_message()
    var handle: OpaquePointer?
    let stream = direction == .capture ? SND_PCM_STREAM_CAPTURE : SND_PCM_STREAM_PLAYBACK
    // Never blocking: neither an open on a busy device, nor a read that could not be given up.
    let result = snd_pcm_open(&handle, request.device, stream, Int32(SND_PCM_NONBLOCK))
    guard result == 0, let pcm = handle else { throw .opening(request.device, direction, result: result) }
    do throws(DeviceError) {
        let format = try setHardware(pcm, request, direction)
        try setSoftware(pcm, format)
        return OpenPCM(pcm: pcm, format: format)
    } catch {
        snd_pcm_close(pcm)
        throw error
    }
}

/// libasound's formats in the order in which we like them: what needs no conversion first.
private func alsaFormat(_ format: SampleFormat) -> snd_pcm_format_t {
    switch format {
    case .s16: SND_PCM_FORMAT_S16_LE
    case .s24: SND_PCM_FORMAT_S24_LE
    case .s24Packed: SND_PCM_FORMAT_S24_3LE
    case .s32: SND_PCM_FORMAT_S32_LE
    }
}

private func preferredFormat(
    _ pcm: OpaquePointer, _ parameters: OpaquePointer, wanted: SampleFormat?
) -> SampleFormat? {
    for format in wanted.map({ [$0] }) ?? [SampleFormat.s16, .s32, .s24, .s24Packed]
    where snd_pcm_hw_params_test_format(pcm, parameters, alsaFormat(format)) == 0 {
        return format
    }
    return nil
}

private func setHardware(
    _ pcm: OpaquePointer, _ request: PCMRequest, _ direction: Direction
) throws(DeviceError) -> NegotiatedFormat {
    var allocated: OpaquePointer?
    guard snd_pcm_hw_params_malloc(&allocated) == 0, let parameters = allocated else {
        throw .settingUp(request.device, direction, "no memory for its parameters", result: -ENOMEM)
    }
    defer { snd_pcm_hw_params_free(parameters) }
    let any = snd_pcm_hw_params_any(pcm, parameters)
    guard any >= 0 else { throw .settingUp(request.device, direction, "it has no configuration", result: any) }
    let offer = describeOffer(pcm, parameters)

    // No resampling behind our back: the plug layer's is a linear interpolation. Ours follows, and is measured.
    snd_pcm_hw_params_set_rate_resample(pcm, parameters, 0)
    guard snd_pcm_hw_params_set_access(pcm, parameters, SND_PCM_ACCESS_RW_INTERLEAVED) == 0,
        let format = preferredFormat(pcm, parameters, wanted: request.format),
        snd_pcm_hw_params_set_format(pcm, parameters, alsaFormat(format)) == 0
    else { throw unusable(request, direction, offer) }

    var channels = UInt32(max(1, request.channels))
    let hasChannels =
        request.channels == 0
        ? snd_pcm_hw_params_set_channels_near(pcm, parameters, &channels)
        : snd_pcm_hw_params_set_channels(pcm, parameters, channels)
    var rate = UInt32(request.rate)
    guard hasChannels == 0, (1...8).contains(channels),
        snd_pcm_hw_params_set_rate_near(pcm, parameters, &rate, nil) == 0, (8_000...192_000).contains(rate)
    else { throw unusable(request, direction, offer) }

    var period = snd_pcm_uframes_t(Int(rate) * request.periodMilliseconds / 1000)
    var buffer = snd_pcm_uframes_t(Int(rate) * request.bufferMilliseconds / 1000)
    snd_pcm_hw_params_set_period_size_near(pcm, parameters, &period, nil)
    snd_pcm_hw_params_set_buffer_size_near(pcm, parameters, &buffer)
    let result = snd_pcm_hw_params(pcm, parameters)
    guard result == 0 else {
        throw .settingUp(request.device, direction, "it refuses its own parameters", result: result)
    }
    snd_pcm_hw_params_get_period_size(parameters, &period, nil)
    snd_pcm_hw_params_get_buffer_size(parameters, &buffer)
    return NegotiatedFormat(
        device: request.device, direction: direction, rate: Int(rate), channels: Int(channels), sampleFormat: format,
        periodFrames: Int(period), bufferFrames: Int(buffer))
}

private func setSoftware(_ pcm: OpaquePointer, _ format: NegotiatedFormat) throws(DeviceError) {
    var allocated: OpaquePointer?
    guard snd_pcm_sw_params_malloc(&allocated) == 0, let parameters = allocated else {
        throw .settingUp(format.device, format.direction, "no memory for its parameters", result: -ENOMEM)
    }
    defer { snd_pcm_sw_params_free(parameters) }
    snd_pcm_sw_params_current(pcm, parameters)
    snd_pcm_sw_params_set_avail_min(pcm, parameters, snd_pcm_uframes_t(format.periodFrames))
    snd_pcm_sw_params_set_start_threshold(pcm, parameters, snd_pcm_uframes_t(format.startThreshold))
    snd_pcm_sw_params_set_tstamp_mode(pcm, parameters, SND_PCM_TSTAMP_ENABLE)
    snd_pcm_sw_params_set_tstamp_type(pcm, parameters, SND_PCM_TSTAMP_TYPE_MONOTONIC)
    let result = snd_pcm_sw_params(pcm, parameters)
    guard result == 0 else {
        throw .settingUp(format.device, format.direction, "it refuses its wake-up parameters", result: result)
    }
}

/// Ranges that a device offers, for the message when nothing fits.
private func describeOffer(_ pcm: OpaquePointer, _ parameters: OpaquePointer) -> String {
    var fewest: UInt32 = 0
    var most: UInt32 = 0
    var slowest: UInt32 = 0
    var fastest: UInt32 = 0
    snd_pcm_hw_params_get_channels_min(parameters, &fewest)
    snd_pcm_hw_params_get_channels_max(parameters, &most)
    snd_pcm_hw_params_get_rate_min(parameters, &slowest, nil)
    snd_pcm_hw_params_get_rate_max(parameters, &fastest, nil)
    var names = ""
    for value in 0...SND_PCM_FORMAT_LAST.rawValue {
        let format = snd_pcm_format_t(rawValue: value)
        guard snd_pcm_hw_params_test_format(pcm, parameters, format) == 0, let name = snd_pcm_format_name(format)
        else { continue }
        names += (names.isEmpty ? "" : " ") + String(cString: name)
    }
    return "\(fewest)…\(most) channels, \(slowest)…\(fastest) Hz, \(names.isEmpty ? "no format" : names)"
}

private func plural(_ count: Int) -> String { count == 1 ? "" : "s" }

private func unusable(_ request: PCMRequest, _ direction: Direction, _ offer: String) -> DeviceError {
    let channels = request.channels == 0 ? "1…8 channels" : "\(request.channels) channel" + plural(request.channels)
    let format = request.format.map { $0.name } ?? "any of S16_LE S32_LE S24_LE S24_3LE"
    let choices = (request.channels == 0 ? "" : "channels, ") + (request.format == nil ? "" : "format, ") + "rate"
    return DeviceError(
        .noUsableFormat, errno: EINVAL,
        context: "\(direction.word) device '\(request.device)' has no usable format: asked for \(channels), "
            + "\(request.rate) Hz or the nearest within 8000…192000 Hz, \(format), interleaved; it offers \(offer)",
        advice: "Name another device, ask for what this one offers (\(choices) in the configuration), or put ALSA's "
            + "conversion in front with 'plughw:…' instead of 'hw:…'.")
}
