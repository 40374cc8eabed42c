// The two kinds of file that the fake device plays and records. PCM only.
#ifndef PUCKFAKE_WAV_H
#define PUCKFAKE_WAV_H

#include <alsa/asoundlib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A WAV file mapped into memory. `data` points at the first frame.
struct wav_source {
    void *mapping;
    size_t mapping_bytes;
    const uint8_t *data;
    int64_t frames;
    unsigned rate, channels, sample_bytes;
    snd_pcm_format_t format;
};

// 0, or a negative errno after telling libasound's error handler what is wrong with the file.
int wav_source_open(struct wav_source *wav, const char *path);
void wav_source_close(struct wav_source *wav);
// One sample, moved up to the top of 32 bits so that formats can be exchanged by shifting.
int32_t wav_source_sample(const struct wav_source *wav, int64_t frame, unsigned channel);

// A WAV file that is valid after every write, also when the process is killed.
struct wav_sink {
    int fd;
    uint32_t data_bytes;
    unsigned frame_bytes;
};

// Continues a file that this process has recorded in the same format (the device was reopened); else starts it anew.
int wav_sink_open(struct wav_sink *sink, const char *path, unsigned rate, unsigned channels, unsigned sample_bytes);
int wav_sink_write(struct wav_sink *sink, const void *bytes, size_t count);
// Takes the last `frames` out again.
int wav_sink_cut(struct wav_sink *sink, size_t frames);
void wav_sink_close(struct wav_sink *sink);

#endif
