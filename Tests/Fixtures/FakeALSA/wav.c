#include "wav.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 44,
    FORMAT_PCM = 1,
    FORMAT_EXTENSIBLE = 0xFFFE,
    MAXIMUM_RECORDINGS = 64,  // files that one process can continue after a reopen; a further one starts anew
};

static uint32_t get16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t get32(const uint8_t *p) { return get16(p) | get16(p + 2) << 16; }
static void put16(uint8_t *p, uint32_t v) { p[0] = v & 255, p[1] = v >> 8 & 255; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v & 0xFFFF), put16(p + 2, v >> 16); }

static int refuse(const char *path, const char *why)
{
    SNDERR("puckfake: %s is not a WAV file that can be played: %s", path, why);
    return -EINVAL;
}

static int read_format_chunk(struct wav_source *wav, const uint8_t *chunk, uint32_t bytes, const char *path)
{
    if (bytes < 16)
        return refuse(path, "its 'fmt ' chunk is too short");
    uint32_t tag = get16(chunk), bits = get16(chunk + 14);
    if (tag == FORMAT_EXTENSIBLE && bytes >= 26)
        tag = get16(chunk + 24);
    if (tag != FORMAT_PCM)
        return refuse(path, "it is compressed or floating point; convert it with: sox IN -e signed -b 16 OUT.wav");
    wav->channels = get16(chunk + 2);
    wav->rate = get32(chunk + 4);
    wav->sample_bytes = bits / 8;
    if (wav->channels < 1 || wav->channels > 8 || wav->rate < 1 || wav->rate > 384000)
        return refuse(path, "it needs 1 to 8 channels and at most 384000 Hz");
    if (get16(chunk + 12) != wav->channels * wav->sample_bytes)
        return refuse(path, "samples with padding are not supported");
    switch (bits) {
    case 16: wav->format = SND_PCM_FORMAT_S16_LE; return 0;
    case 24: wav->format = SND_PCM_FORMAT_S24_3LE; return 0;
    case 32: wav->format = SND_PCM_FORMAT_S32_LE; return 0;
    }
    return refuse(path, "samples must have 16, 24 or 32 bits");
}

static int find_chunks(struct wav_source *wav, const char *path)
{
    const uint8_t *file = wav->mapping;
    size_t size = wav->mapping_bytes, at = 12;
    if (size < HEADER_BYTES || memcmp(file, "RIFF", 4) != 0 || memcmp(file + 8, "WAVE", 4) != 0)
        return refuse(path, "it does not begin with RIFF … WAVE");
    while (at + 8 <= size) {
        const uint8_t *chunk = file + at;
        size_t bytes = get32(chunk + 4);
        if (bytes > size - at - 8)
            bytes = size - at - 8;  // a file whose writer was killed
        if (memcmp(chunk, "fmt ", 4) == 0) {
            int error = read_format_chunk(wav, chunk + 8, (uint32_t)bytes, path);
            if (error < 0)
                return error;
        } else if (memcmp(chunk, "data", 4) == 0) {
            if (!wav->rate)
                return refuse(path, "its 'data' chunk comes before 'fmt '");
            wav->data = chunk + 8;
            wav->frames = (int64_t)(bytes / (wav->sample_bytes * wav->channels));
            return 0;
        }
        at += 8 + bytes + (bytes & 1);
    }
    return refuse(path, "it has no 'data' chunk");
}

int wav_source_open(struct wav_source *wav, const char *path)
{
    memset(wav, 0, sizeof *wav);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0) {
        int error = -errno;
        SNDERR("puckfake: cannot open infile %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return error;
    }
    wav->mapping_bytes = (size_t)info.st_size;
    wav->mapping = info.st_size > 0 ? mmap(NULL, wav->mapping_bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (wav->mapping == MAP_FAILED) {
        wav->mapping = NULL;
        return refuse(path, info.st_size > 0 ? strerror(errno) : "it is empty");
    }
    int error = find_chunks(wav, path);
    if (error < 0)
        wav_source_close(wav);
    return error;
}

void wav_source_close(struct wav_source *wav)
{
    if (wav->mapping)
        munmap(wav->mapping, wav->mapping_bytes);
    wav->mapping = NULL;
}

int32_t wav_source_sample(const struct wav_source *wav, int64_t frame, unsigned channel)
{
    const uint8_t *p = wav->data + ((size_t)frame * wav->channels + channel) * wav->sample_bytes;
    uint32_t value = 0;
    for (unsigned i = 0; i < wav->sample_bytes; i++)
        value |= (uint32_t)p[i] << (8 * (4 - wav->sample_bytes + i));
    return (int32_t)value;
}

// Which files this process has recorded, so that a reopened device goes on instead of erasing what was heard.
static bool was_recorded_here(const char *path)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char known[MAXIMUM_RECORDINGS][PATH_MAX];
    static int count;
    bool found = false;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count && !found; i++)
        found = strcmp(known[i], path) == 0;
    if (!found && count < MAXIMUM_RECORDINGS && strlen(path) < PATH_MAX)
        strcpy(known[count++], path);
    pthread_mutex_unlock(&lock);
    return found;
}

int wav_sink_open(struct wav_sink *sink, const char *path, unsigned rate, unsigned channels, unsigned sample_bytes)
{
    uint8_t header[HEADER_BYTES] = "RIFF....WAVEfmt ", old[HEADER_BYTES] = {0};
    put32(header + 4, HEADER_BYTES - 8);
    put32(header + 16, 16);
    put16(header + 20, FORMAT_PCM);
    put16(header + 22, channels);
    put32(header + 24, rate);
    put32(header + 28, rate * channels * sample_bytes);
    put16(header + 32, channels * sample_bytes);
    put16(header + 34, sample_bytes * 8);
    memcpy(header + 36, "data", 4);

    bool seen = was_recorded_here(path);
    sink->frame_bytes = channels * sample_bytes;
    sink->data_bytes = 0;
    sink->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (sink->fd < 0) {
        int error = -errno;
        SNDERR("puckfake: cannot write outfile %s: %s", path, strerror(errno));
        return error;
    }
    if (seen && pread(sink->fd, old, sizeof old, 0) == sizeof old && memcmp(old + 8, header + 8, 32) == 0) {
        sink->data_bytes = get32(old + 40);
        return 0;
    }
    if (ftruncate(sink->fd, 0) < 0 || pwrite(sink->fd, header, sizeof header, 0) != sizeof header)
        return -EIO;
    return 0;
}

static int write_sizes(const struct wav_sink *sink)
{
    uint8_t size[4];
    put32(size, sink->data_bytes);
    if (pwrite(sink->fd, size, 4, 40) != 4)
        return -EIO;
    put32(size, sink->data_bytes + HEADER_BYTES - 8);
    return pwrite(sink->fd, size, 4, 4) == 4 ? 0 : -EIO;
}

int wav_sink_write(struct wav_sink *sink, const void *bytes, size_t count)
{
    if (count > UINT32_MAX - HEADER_BYTES - sink->data_bytes)
        return -EFBIG;
    if (pwrite(sink->fd, bytes, count, HEADER_BYTES + (off_t)sink->data_bytes) != (ssize_t)count)
        return -EIO;
    sink->data_bytes += (uint32_t)count;
    return write_sizes(sink);
}

int wav_sink_cut(struct wav_sink *sink, size_t frames)
{
    size_t bytes = frames * sink->frame_bytes;
    if (bytes == 0)
        return 0;
    sink->data_bytes -= (uint32_t)(bytes < sink->data_bytes ? bytes : sink->data_bytes);
    int error = write_sizes(sink);
    return error < 0 ? error : ftruncate(sink->fd, HEADER_BYTES + (off_t)sink->data_bytes) < 0 ? -EIO : 0;
}

void wav_sink_close(struct wav_sink *sink)
{
    if (sink->fd >= 0)
        close(sink->fd);
    sink->fd = -1;
}
