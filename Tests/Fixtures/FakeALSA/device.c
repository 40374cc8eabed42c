#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    NANOSECONDS = 1000000000,
    // How often a stalled device looks at its control file: often enough for a test, rarely enough to idle.
    STALL_POLL_NANOSECONDS = 5000000,
    // A thread that waits for us sleeps at least so long, whatever it waits for: it never spins.
    SHORTEST_SLEEP_NANOSECONDS = 100000,
};

int64_t device_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

static int64_t scale(const struct device *device) { return device->settings.speed ? device->settings.speed : 1; }

// Nanoseconds in which the device's clock, if it is slowed down, counts one second.
static int64_t device_second(const struct device *device) { return NANOSECONDS * device->settings.slowness; }

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

// floor((a * b + rest) / divisor), exact where the product alone would not fit: a 32-bit board has no wider integers.
// b times the divisor has to fit.
static int64_t scaled(int64_t a, int64_t b, int64_t rest, int64_t divisor)
{
    int64_t whole = floor_div(a, divisor);
    return whole * b + floor_div((a - whole * divisor) * b + rest, divisor);
}

int64_t device_frames(const struct device *device, int64_t nanoseconds)
{
    int64_t second = device_second(device);
    return scaled(nanoseconds, (int64_t)device->io.rate * scale(device), second / 2, second);
}

static int64_t frames_passed(const struct device *device, int64_t nanoseconds)
{
    return scaled(nanoseconds, (int64_t)device->io.rate * scale(device), 0, device_second(device));
}

// Where the clock that is too fast, or too slow, began in this segment, ns.
static int64_t drift_start(const struct device *device)
{
    return device->drift_since > device->segment_start ? device->drift_since : device->segment_start;
}

// Frames of the segment that have passed at `time`, in the device's own opinion.
static int64_t frames_at(const struct device *device, int64_t time)
{
    int64_t frames = frames_passed(device, time - device->segment_start);
    int64_t start = drift_start(device);
    if (device->drift && time > start)
        frames += frames_passed(device, time - start) * device->drift / 1000;
    return frames;
}

// The opposite: when `frames` of the segment have passed, ns.
static int64_t time_of(const struct device *device, int64_t frames)
{
    int64_t start = device->segment_start, rate = (int64_t)device->io.rate * scale(device) * 1000;
    int64_t before = frames_passed(device, drift_start(device) - start);
    if (device->drift && frames > before) {
        start = drift_start(device);
        frames -= before;
        rate += rate / 1000 * device->drift;
    }
    return start + scaled(device_second(device) * 1000, frames, rate - 1, rate);
}

int64_t device_stream_position(const struct device *device) { return device->base + device->done; }

void device_begin_segment(struct device *device)
{
    device->running = true;
    device->stamped = false;
    device->stalled_at = device->segment_start = device_now();
    device_arm(device);
}

// The segment starts at the time that libasound has stamped the start with, not at the slightly different one that we
// would read: so an application that computes lost frames from timestamps must find our number, to the frame.
static void stamp(struct device *device)
{
    snd_pcm_status_t *status;
    snd_htimestamp_t trigger;
    snd_pcm_status_alloca(&status);
    device->stamping = true;
    if (snd_pcm_status(device->io.pcm, status) == 0) {
        snd_pcm_status_get_trigger_htstamp(status, &trigger);
        device->segment_start = (int64_t)trigger.tv_sec * NANOSECONDS + trigger.tv_nsec;
    }
    device->stamping = false;
    device->stamped = true;
    if (!device->origin)
        device->origin = device->segment_start;
    if (device->settings.speed != SPEED_FREE && device->is_capture)
        device->base = device_frames(device, device->segment_start - device->origin);
    device_arm(device);
}

static void set_state(struct device *device, snd_pcm_state_t state)
{
    snd_pcm_ioplug_set_state(&device->io, state);
    device_arm(device);
}

static void begin_stall(struct device *device)
{
    if (!device->stalled)
        device->stalled_at = device_now();
    device->stalled = true;
}

void device_end_stall(struct device *device)
{
    if (device->stalled)
        device->hidden += frames_passed(device, device_now() - device->stalled_at);
    device->stalled = false;
}

// Returns a negative errno when the fault is one that the position itself reports.
static int run_fault(struct device *device, const struct fault *fault)
{
    switch (fault->kind) {
    case FAULT_XRUN:
        device->recovery_milliseconds = fault->parameter;
        return -EPIPE;
    case FAULT_STALL:
        begin_stall(device);
        break;
    case FAULT_GO:
        device_end_stall(device);
        break;
    case FAULT_LOST:
        set_state(device, SND_PCM_STATE_DISCONNECTED);
        break;
    case FAULT_SUSPEND:
        device->early_resumes = fault->parameter;
        begin_stall(device);
        set_state(device, SND_PCM_STATE_SUSPENDED);
        break;
    case FAULT_SHORT:
        device->interrupt_next = true;
        break;
    case FAULT_ZEROS:
    case FAULT_SOUND:
        device->zeros = fault->kind == FAULT_ZEROS;
        break;
    case FAULT_DRIFT:
        device->drift = fault->parameter;
        device->drift_since = device_now();
        break;
    case FAULT_BADFD:
        set_state(device, SND_PCM_STATE_SETUP);
        break;
    case FAULT_HANG: {
        struct timespec left = {fault->parameter / 1000, fault->parameter % 1000 * 1000000};
        while (nanosleep(&left, &left) < 0 && errno == EINTR) {
        }
        break;
    }
    case FAULT_REFUSE:  // these concern the next open; the script has noted them
    case FAULT_RETURN:
    case FAULT_BUSY:
    case FAULT_FREE:
    case FAULT_DELAY_ERROR:  // …and these the delay
    case FAULT_DELAY_FLOOR:
    case FAULT_ROTATE:
        break;
    }
    return 0;
}

static int64_t advance(struct device *device)
{
    if (device->stalled)
        return device->hardware;
    int64_t position;
    if (device->settings.speed != SPEED_FREE)
        position = frames_at(device, device_now()) - device->hidden;
    else
        position = device->is_capture ? device->done + (int64_t)device->period : device->done;
    return position > device->hardware ? position : device->hardware;
}

int64_t device_position(struct device *device)
{
    // A loudspeaker at rest can be taken away, too; everything else waits until there is a stream.
    if (!device->running && !device->stamping && !device->is_capture && script_open_error(device->script) == -ENOENT)
        set_state(device, SND_PCM_STATE_DISCONNECTED);
    if (!device->running || device->stamping)
        return device->hardware;
    if (!device->stamped)
        stamp(device);
    script_poll(device->script);
    struct fault fault;
    while (script_take(device->script, device_stream_position(device), &fault)) {
        int error = run_fault(device, &fault);
        if (error < 0)
            return error;
    }
    int64_t position = advance(device);
    if (device->is_capture) {
        // Faults strike between two certain samples: nothing behind the next one's position is offered before it.
        int64_t stop = script_next(device->script);
        if (stop != INT64_MAX && position > stop - device->base)
            position = stop - device->base;
        else if (position - device->done > (int64_t)device->io.buffer_size)
            return -EPIPE;
    } else if (position > device->done) {
        device->hardware = position = device->done;
        // A sound server keeps its stream running, and counts its own latency on.
        if (device->io.state != SND_PCM_STATE_DRAINING && script_delay_floor(device->script) == 0)
            return -EPIPE;
    }
    if (position > device->hardware)
        device->hardware = position;
    return device->hardware;
}

void device_arm(struct device *device)
{
    struct itimerspec when = {{0, 0}, {0, 0}};
    int64_t at = 1;  // in the past: readable at once
    snd_pcm_state_t state = device->io.state;
    bool failed = state == SND_PCM_STATE_SUSPENDED || state == SND_PCM_STATE_DISCONNECTED ||
                  (state == SND_PCM_STATE_SETUP && device->running);
    if (device->stalled && !failed) {
        at = device_now() + STALL_POLL_NANOSECONDS;
    } else if (device->settings.speed != SPEED_FREE && !failed) {
        int64_t wanted = device->done + (int64_t)device->wake_frames;
        if (!device->is_capture)  // room for that many frames, or everything played
            wanted = device->done - (int64_t)device->io.buffer_size + (int64_t)device->wake_frames;
        if (!device->is_capture && state == SND_PCM_STATE_DRAINING)
            wanted = device->done;
        int64_t stop = script_next(device->script);
        if (device->is_capture && stop != INT64_MAX && wanted > stop - device->base)
            wanted = stop - device->base;
        at = time_of(device, wanted + device->hidden);
        int64_t earliest = device_now() + SHORTEST_SLEEP_NANOSECONDS;
        at = at < earliest ? earliest : at;
    }
    when.it_value.tv_sec = at / NANOSECONDS;
    when.it_value.tv_nsec = at % NANOSECONDS;
    timerfd_settime(device->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

// The recording's place in time: given in ns, by a file that another program writes, or with the first start.
int64_t device_wav_index(struct device *device, int64_t stream_position)
{
    struct settings *settings = &device->settings;
    if (settings->start_at < 0 && settings->start_file) {
        char text[32] = "";
        int fd = open(settings->start_file, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -1;
        ssize_t count = read(fd, text, sizeof text - 1);
        close(fd);
        int64_t given = count > 0 ? strtoll(text, NULL, 10) : 0;
        settings->start_at = given > 0 ? given : device_now();
    }
    int64_t index = stream_position;
    if (settings->start_at >= 0)
        index -= device_frames(device, settings->start_at - device->origin);
    if (settings->loop && index >= 0 && device->source.frames > 0)
        index %= device->source.frames;
    return index < device->source.frames ? index : -1;
}

int device_prepare(struct device *device)
{
    if (device->recovery_milliseconds > 0) {
        int64_t pause = device->recovery_milliseconds * 1000000 * device->settings.slowness / scale(device);
        struct timespec wait = {pause / NANOSECONDS, pause % NANOSECONDS};
        if (device->settings.speed != SPEED_FREE)
            while (nanosleep(&wait, &wait) < 0 && errno == EINTR) {
            }
        else if (device->is_capture)
            device->base += device_frames(device, pause);
    }
    device->recovery_milliseconds = 0;
    device->base += device->done;
    device->done = device->hardware = device->hidden = 0;
    device->running = device->stalled = false;
    return 0;
}
