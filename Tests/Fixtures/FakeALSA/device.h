// One open stream of the fake device: its clock, its position, and the faults under way.
#ifndef PUCKFAKE_DEVICE_H
#define PUCKFAKE_DEVICE_H

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <stdbool.h>
#include <stdint.h>

#include "script.h"
#include "wav.h"

enum { SPEED_FREE = 0 };

// What the asound.conf says.
struct settings {
    char *infile, *outfile, *control, *start_file;
    int64_t start_at;       // ns of CLOCK_MONOTONIC; -1: when the stream starts
    int64_t speed;          // how many times faster than real time; SPEED_FREE: as fast as it is read
    int64_t slowness;       // device time runs this many times slower; 1 or more
    bool loop;
    unsigned rates[16], channels[16], formats[16];
    unsigned rate_count, channel_count, format_count;
};

// Words: a *segment* lies between a start and the next (a recovery begins a new one). A *stream position* counts
// frames since the first start and goes on while frames are lost, as a microphone's room does.
struct device {
    snd_pcm_ioplug_t io;    // first, and passed to the callbacks
    struct settings settings;
    struct script *script;
    struct wav_source source;
    struct wav_sink sink;
    int timer;
    uint64_t period, wake_frames;
    bool is_capture, running;

    bool stamped;           // the segment's start time is known
    bool stamping;          // …and is being asked for
    int64_t origin;         // ns; start of the first segment, 0 before it
    int64_t segment_start;  // ns
    int64_t base;           // stream position of the segment's first frame
    int64_t done;           // frames transferred in this segment
    int64_t hardware;       // frames the device has captured or played in this segment

    bool stalled, zeros, interrupt_next;
    int64_t stalled_at;     // ns
    int64_t hidden;         // frames of the segment that passed during stalls
    int64_t drift;          // thousandths by which the clock is fast…
    int64_t drift_since;    // …from this time on, ns
    int64_t recovery_milliseconds;
    unsigned rotation;      // places by which the channels are moved up
    int64_t early_resumes;  // attempts to resume that still come too early; negative: all
};

// Frames that pass in `nanoseconds` (may be negative), rounded to the nearest.
int64_t device_frames(const struct device *device, int64_t nanoseconds);
int64_t device_now(void);
// The device's position in this segment; runs what the script wants now. A negative errno for an xrun.
int64_t device_position(struct device *device);
// Makes the poll descriptor readable when there will be something to do.
void device_arm(struct device *device);
int64_t device_stream_position(const struct device *device);
// Index into the WAV of a stream position; negative before it begins.
int64_t device_wav_index(struct device *device, int64_t stream_position);
// The device goes on; what its clock counted meanwhile was never captured.
void device_end_stall(struct device *device);
void device_begin_segment(struct device *device);
int device_prepare(struct device *device);

// Reads the settings out of the configuration; -EINVAL with a message when one is wrong.
int settings_read(struct settings *settings, snd_config_t *config);
void settings_free(struct settings *settings);

#endif
