// A microphone and a loudspeaker for libasound that exist only as WAV files: an external I/O plugin that keeps real
// time and fails when it is told to. README.md says how to use it.
#include "device.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct device *device_of(snd_pcm_ioplug_t *io) { return io->private_data; }

static int on_start(snd_pcm_ioplug_t *io)
{
    device_begin_segment(device_of(io));
    return 0;
}

// What was written and is dropped was never heard, so it leaves the recording. Where the loudspeaker got is what the
// program was last told: a real one plays on between that question and the drop.
static int on_stop(snd_pcm_ioplug_t *io)
{
    struct device *device = device_of(io);
    // Without an answer to that question, it is where the loudspeaker really got.
    if (!device->is_capture && script_delay_error(device->script) != 0)
        device_position(device);
    device->running = false;
    if (device->is_capture || device->sink.fd < 0)
        return 0;
    int64_t unheard = device->done - device->hardware;
    device->done = device->hardware;
    return wav_sink_cut(&device->sink, (size_t)unheard);
}

static int on_prepare(snd_pcm_ioplug_t *io) { return device_prepare(device_of(io)); }

static snd_pcm_sframes_t on_pointer(snd_pcm_ioplug_t *io) { return (snd_pcm_sframes_t)device_position(device_of(io)); }

// Writes one sample, given at the top of 32 bits, in the stream's format.
static void put_sample(uint8_t *to, int32_t sample, snd_pcm_format_t format)
{
    uint32_t bits = (uint32_t)sample;
    unsigned bytes = 4;
    if (format == SND_PCM_FORMAT_S16_LE) {
        bits >>= 16;
        bytes = 2;
    } else if (format == SND_PCM_FORMAT_S24_3LE) {
        bits >>= 8;
        bytes = 3;
    } else if (format == SND_PCM_FORMAT_S24_LE) {
        bits = (uint32_t)(sample >> 8);
    }
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(bits >> (8 * i));
}

static void capture(struct device *device, uint8_t *to, size_t frame_bytes, int64_t count)
{
    size_t sample_bytes = frame_bytes / device->io.channels;
    for (int64_t i = 0; i < count; i++, to += frame_bytes) {
        int64_t index = device_wav_index(device, device_stream_position(device) + i);
        for (unsigned channel = 0; channel < device->io.channels; channel++) {
            bool silent = index < 0 || device->zeros;
            unsigned count = device->source.channels;
            unsigned from = (channel + count - device->rotation % count) % count;
            put_sample(to + channel * sample_bytes, silent ? 0 : wav_source_sample(&device->source, index, from),
                       device->io.format);
        }
    }
}

static int play(struct device *device, const uint8_t *from, size_t frame_bytes, int64_t count)
{
    if (!device->settings.outfile)
        return 0;
    if (device->io.format != SND_PCM_FORMAT_S24_LE)
        return wav_sink_write(&device->sink, from, (size_t)count * frame_bytes);
    // A WAV has no 24 bits at the bottom of 32: the same samples go into three bytes.
    for (int64_t i = 0; i < count * device->io.channels; i++) {
        int error = wav_sink_write(&device->sink, from + 4 * i, 3);
        if (error < 0)
            return error;
    }
    return 0;
}

static snd_pcm_sframes_t on_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                     snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
    struct device *device = device_of(io);
    // A fault may have struck since libasound looked at the state: nothing gets past it.
    if (io->state == SND_PCM_STATE_DISCONNECTED)
        return -ENODEV;
    if (io->state == SND_PCM_STATE_SUSPENDED)
        return -ESTRPIPE;
    if (device->interrupt_next) {
        device->interrupt_next = false;
        return -EINTR;
    }
    int64_t count = (int64_t)size, stop = script_next(device->script);
    if (stop != INT64_MAX && count > stop - device_stream_position(device))
        count = stop - device_stream_position(device);
    if (count <= 0)
        return 0;
    size_t frame_bytes = areas->step / 8;
    uint8_t *at = (uint8_t *)areas->addr + areas->first / 8 + offset * frame_bytes;
    if (device->is_capture) {
        capture(device, at, frame_bytes, count);
    } else {
        int error = play(device, at, frame_bytes, count);
        if (error < 0)
            return error;
    }
    device->done += count;
    if (device->running)
        device_arm(device);
    return count;
}

static int on_delay(snd_pcm_ioplug_t *io, snd_pcm_sframes_t *delay)
{
    struct device *device = device_of(io);
    int64_t error = script_delay_error(device->script), floor = script_delay_floor(device->script);
    if (error != 0)
        return (int)-error;
    int64_t position = device->running ? device_position(device) : device->hardware;
    if (position < 0) {
        // libasound sets this state only when the pointer reports it: the fault would be lost here.
        snd_pcm_ioplug_set_state(io, SND_PCM_STATE_XRUN);
        return (int)position;
    }
    *delay = (snd_pcm_sframes_t)(device->is_capture ? position - device->done : device->done - position);
    if (*delay < floor)
        *delay = floor;
    return 0;
}

static int on_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *descriptors, unsigned count, unsigned short *revents)
{
    struct device *device = device_of(io);
    uint64_t ticks;
    (void)count;
    *revents = 0;
    if (!(descriptors->revents & POLLIN) || read(device->timer, &ticks, sizeof ticks) < 0)
        return 0;
    snd_pcm_sframes_t available = snd_pcm_avail_update(io->pcm);
    unsigned short ready = device->is_capture ? POLLIN : POLLOUT;
    bool running = io->state == SND_PCM_STATE_RUNNING || io->state == SND_PCM_STATE_DRAINING;
    int64_t stop = script_next(device->script);
    bool at_fault = stop != INT64_MAX && device->base + device->hardware >= stop;
    if (available < 0 || (!running && io->state != SND_PCM_STATE_PREPARED))
        *revents = POLLERR | ready;
    else if ((uint64_t)available >= device->wake_frames || (at_fault && !device->stalled))
        *revents = ready;
    device_arm(device);
    return 0;
}

static int on_hw_params(snd_pcm_ioplug_t *io, snd_pcm_hw_params_t *params)
{
    struct device *device = device_of(io);
    snd_pcm_uframes_t period = 0;
    snd_pcm_hw_params_get_period_size(params, &period, NULL);
    device->period = device->wake_frames = period;
    if (device->is_capture || !device->settings.outfile)
        return 0;
    unsigned sample_bytes = (unsigned)snd_pcm_format_width(io->format) / 8;
    wav_sink_close(&device->sink);
    return wav_sink_open(&device->sink, device->settings.outfile, io->rate, io->channels, sample_bytes);
}

static int on_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *params)
{
    snd_pcm_uframes_t frames;
    if (snd_pcm_sw_params_get_avail_min(params, &frames) == 0 && frames > 0)
        device_of(io)->wake_frames = frames;
    return 0;
}

// libasound answers 0 for any I/O plugin, whatever we return: only the state tells whether it worked.
static int on_resume(snd_pcm_ioplug_t *io)
{
    struct device *device = device_of(io);
    if (device->early_resumes != 0) {
        device->early_resumes -= device->early_resumes > 0;
        return -EAGAIN;
    }
    device_end_stall(device);
    snd_pcm_ioplug_set_state(io, SND_PCM_STATE_RUNNING);
    device_arm(device);
    return 0;
}

static void device_free(struct device *device)
{
    if (device->timer >= 0)
        close(device->timer);
    wav_source_close(&device->source);
    wav_sink_close(&device->sink);
    settings_free(&device->settings);
    free(device);
}

static int on_close(snd_pcm_ioplug_t *io)
{
    device_free(device_of(io));
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = on_start,
    .stop = on_stop,
    .pointer = on_pointer,
    .transfer = on_transfer,
    .close = on_close,
    .hw_params = on_hw_params,
    .sw_params = on_sw_params,
    .prepare = on_prepare,
    .poll_revents = on_poll_revents,
    .delay = on_delay,
    .resume = on_resume,
};

static int offer(snd_pcm_ioplug_t *io, int parameter, unsigned count, const unsigned *list)
{
    return snd_pcm_ioplug_set_param_list(io, parameter, count, list);
}

// What the hardware can do: what the configuration lists, else (capture) what the recording is, else anything.
static int set_constraints(struct device *device)
{
    static const unsigned access[] = {SND_PCM_ACCESS_RW_INTERLEAVED};
    static const unsigned all[] = {SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S24_LE, SND_PCM_FORMAT_S24_3LE,
                                   SND_PCM_FORMAT_S32_LE};
    struct settings *settings = &device->settings;
    snd_pcm_ioplug_t *io = &device->io;
    if (device->is_capture) {
        if (!settings->rate_count)
            settings->rates[settings->rate_count++] = device->source.rate;
        if (!settings->channel_count)
            settings->channels[settings->channel_count++] = device->source.channels;
        if (!settings->format_count)
            settings->formats[settings->format_count++] = device->source.format;
    }
    int error = offer(io, SND_PCM_IOPLUG_HW_ACCESS, 1, access);
    if (error >= 0)
        error = settings->format_count ? offer(io, SND_PCM_IOPLUG_HW_FORMAT, settings->format_count, settings->formats)
                                       : offer(io, SND_PCM_IOPLUG_HW_FORMAT, 4, all);
    if (error >= 0)
        error = settings->rate_count ? offer(io, SND_PCM_IOPLUG_HW_RATE, settings->rate_count, settings->rates)
                                     : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, 8000, 192000);
    if (error >= 0)
        error = settings->channel_count
                    ? offer(io, SND_PCM_IOPLUG_HW_CHANNELS, settings->channel_count, settings->channels)
                    : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, 1, 8);
    if (error >= 0)
        error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 16, 1 << 20);
    if (error >= 0)
        error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 64, 1 << 23);
    return error < 0 ? error : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 1024);
}

// Everything that can fail before libasound knows of the device.
static int set_up(struct device *device, snd_config_t *config, snd_pcm_stream_t stream)
{
    int error = settings_read(&device->settings, config);
    if (error < 0)
        return error;
    device->is_capture = stream == SND_PCM_STREAM_CAPTURE;
    if (device->settings.control) {
        device->script = script_find(device->settings.control);
        if (!device->script) {
            SNDERR("puckfake: too many control files in one process, or too long a path");
            return -EINVAL;
        }
    }
    error = script_open_error(device->script);
    if (error < 0)
        return error;
    device->drift = script_drift(device->script);
    device->zeros = script_zeros(device->script);
    device->rotation = (unsigned)script_rotation(device->script);
    if (device->is_capture && !device->settings.infile) {
        SNDERR("puckfake: a capture device needs 'infile'");
        return -EINVAL;
    }
    if (device->is_capture)
        error = wav_source_open(&device->source, device->settings.infile);
    if (error < 0)
        return error;
    device->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return device->timer < 0 ? -errno : 0;
}

__attribute__((visibility("default"))) SND_PCM_PLUGIN_DEFINE_FUNC(puckfake)
{
    (void)root;
    struct device *device = calloc(1, sizeof *device);
    if (!device)
        return -ENOMEM;
    device->timer = device->sink.fd = -1;
    int error = set_up(device, conf, stream);
    if (error < 0) {
        device_free(device);
        return error;
    }
    device->io.version = SND_PCM_IOPLUG_VERSION;
    device->io.name = "Puck's fake sound device";
    // Positions are counted up to the boundary, which 2^62 frames never reach: a whole buffer is not mistaken for none.
    device->io.flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
    device->io.callback = &callbacks;
    device->io.private_data = device;
    device->io.poll_fd = device->timer;
    device->io.poll_events = POLLIN;
    error = snd_pcm_ioplug_create(&device->io, name, stream, mode);
    if (error < 0) {
        device_free(device);
        return error;
    }
    error = set_constraints(device);
    if (error < 0) {
        snd_pcm_ioplug_delete(&device->io);
        return error;
    }
    *pcmp = device->io.pcm;
    return 0;
}

__attribute__((visibility("default"))) SND_PCM_PLUGIN_SYMBOL(puckfake);
