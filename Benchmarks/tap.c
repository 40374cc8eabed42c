// What a program does at its edges and when: a preloaded library that writes a record into a shared file whenever the
// program has read from ALSA, hands samples to Opus, or sends what came out; and counts its allocations.
//
// The same library taps every contestant, needs nothing of them but the C libraries that they use anyway, and costs a
// clock_gettime and 352 bytes of memory for each record: some 100 ns, against 20 ms of sound.
//
// Allocations are counted by the turn of the loop in which they happen: a turn begins where the thread waits in poll.
// A turn that moved sound and nothing else is "audio"; one that heard from the network or from a timer is "control".
#define _GNU_SOURCE
#include <alsa/asoundlib.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { RECORDS = 1 << 14, CALLERS = 1 << 12, PENDING = 256, DESCRIPTORS = 256, NOTED = 160 };
enum kind { STARTED = 1, READ, ENCODE, SEND, DECODE };
enum turn { AUDIO, CONTROL };

struct record {
    int64_t nanoseconds;
    int32_t kind, thread;
    int64_t value;          // STARTED: the device's start; READ, ENCODE: frames; SEND, DECODE: bytes
    int16_t samples[NOTED]; // ENCODE: the first samples, by which the packet is found in the recording
    int64_t spare;
};

struct caller {
    _Atomic uint64_t address;
    _Atomic uint64_t calls[2];  // by turn
};

// The file: mapped by the program and by whoever reads it. puckbench/tap.py knows this layout.
struct tap {
    _Atomic uint64_t count;     // of records, also those for which there was no room
    _Atomic uint64_t turns[2];
    uint64_t spare[5];
    struct caller callers[CALLERS];
    struct record records[RECORDS];
};

static struct tap *tap;
static _Atomic bool is_network[DESCRIPTORS], is_timer[DESCRIPTORS];
static __thread __attribute__((tls_model("initial-exec"))) struct {
    bool moved_sound, heard, owes_send, is_device;
    uint32_t pending;
    uint64_t allocations[PENDING];
} me;

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void open_tap(void)
{
    const char *path = getenv("PUCK_TAP");
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (file < 0 || ftruncate(file, sizeof(struct tap)) < 0)
        return;
    void *memory = mmap(NULL, sizeof(struct tap), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    close(file);
    if (memory != MAP_FAILED)
        tap = memory;
}

static struct record *note(enum kind kind, int64_t value)
{
    static struct record nowhere;
    if (!tap)
        return &nowhere;
    uint64_t index = atomic_fetch_add(&tap->count, 1);
    if (index >= RECORDS)
        return &nowhere;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct record *record = tap->records + index;
    record->nanoseconds = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    record->kind = kind;
    record->thread = gettid();
    record->value = value;
    return record;
}

// MARK: Sound

snd_pcm_sframes_t snd_pcm_readi(snd_pcm_t *pcm, void *buffer, snd_pcm_uframes_t frames)
{
    static _Atomic bool started;
    NEXT(snd_pcm_readi);
    snd_pcm_sframes_t result = next(pcm, buffer, frames);
    me.is_device = true;
    if (result <= 0)
        return result;
    note(READ, result);
    if (!atomic_exchange(&started, true)) {
        snd_pcm_status_t *status;
        snd_htimestamp_t at;
        snd_pcm_status_alloca(&status);
        if (snd_pcm_status(pcm, status) == 0) {
            snd_pcm_status_get_trigger_htstamp(status, &at);
            note(STARTED, (int64_t)at.tv_sec * 1000000000 + at.tv_nsec);
        }
    }
    return result;
}

static void note_encode(const int16_t *samples, int frames)
{
    me.moved_sound = me.owes_send = true;
    memcpy(note(ENCODE, frames)->samples, samples, sizeof *samples * (size_t)(frames < NOTED ? frames : NOTED));
}

int opus_encode(void *encoder, const int16_t *samples, int frames, unsigned char *packet, int32_t room)
{
    NEXT(opus_encode);
    note_encode(samples, frames);
    return next(encoder, samples, frames, packet, room);
}

int opus_multistream_encode(void *encoder, const int16_t *samples, int frames, unsigned char *packet, int32_t room)
{
    NEXT(opus_multistream_encode);
    note_encode(samples, frames);
    return next(encoder, samples, frames, packet, room);
}

int opus_decode(void *decoder, const unsigned char *packet, int32_t bytes, int16_t *samples, int frames, int fec)
{
    NEXT(opus_decode);
    note(DECODE, bytes);
    return next(decoder, packet, bytes, samples, frames, fec);
}

// MARK: Sockets

static bool knows(_Atomic bool *set, int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS && atomic_load_explicit(set + descriptor, memory_order_relaxed);
}

static void remember(_Atomic bool *set, int descriptor, bool value)
{
    if (descriptor >= 0 && descriptor < DESCRIPTORS)
        atomic_store_explicit(set + descriptor, value, memory_order_relaxed);
}

// The first thing that leaves by a socket after a packet was encoded is that packet.
static void note_send(int descriptor, int64_t bytes)
{
    if (!me.owes_send || !knows(is_network, descriptor))
        return;
    me.owes_send = false;
    me.moved_sound = true;
    note(SEND, bytes);
}

int socket(int domain, int type, int protocol)
{
    NEXT(socket);
    int descriptor = next(domain, type, protocol);
    remember(is_network, descriptor, domain == AF_INET || domain == AF_INET6);
    return descriptor;
}

int timerfd_create(int clock, int flags)
{
    NEXT(timerfd_create);
    int descriptor = next(clock, flags);
    remember(is_timer, descriptor, true);
    return descriptor;
}

int close(int descriptor)
{
    NEXT(close);
    remember(is_network, descriptor, false);
    remember(is_timer, descriptor, false);
    return next(descriptor);
}

ssize_t read(int descriptor, void *buffer, size_t bytes)
{
    NEXT(read);
    ssize_t result = next(descriptor, buffer, bytes);
    if (result > 0 && (knows(is_network, descriptor) || knows(is_timer, descriptor)))
        me.heard = true;
    return result;
}

ssize_t recv(int descriptor, void *buffer, size_t bytes, int flags)
{
    NEXT(recv);
    ssize_t result = next(descriptor, buffer, bytes, flags);
    if (result > 0 && knows(is_network, descriptor))
        me.heard = true;
    return result;
}

ssize_t write(int descriptor, const void *buffer, size_t bytes)
{
    NEXT(write);
    note_send(descriptor, (int64_t)bytes);
    return next(descriptor, buffer, bytes);
}

ssize_t send(int descriptor, const void *buffer, size_t bytes, int flags)
{
    NEXT(send);
    note_send(descriptor, (int64_t)bytes);
    return next(descriptor, buffer, bytes, flags);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    note_send(descriptor, 0);
    return next(descriptor, message, flags);
}

int sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags)
{
    NEXT(sendmmsg);
    note_send(descriptor, 0);
    return next(descriptor, messages, count, flags);
}

// MARK: Turns and allocations

static void end_turn(void)
{
    if (!tap)
        return;
    enum turn turn = me.is_device || (me.moved_sound && !me.heard) ? AUDIO : CONTROL;
    atomic_fetch_add_explicit(tap->turns + turn, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < me.pending; i++) {
        uint64_t address = me.allocations[i];
        // Open addressing; an address that finds no place in a full table is lost, which 4096 call sites do not cause.
        for (uint32_t k = 0; k < CALLERS; k++) {
            struct caller *caller = tap->callers + (address / 4 + k) % CALLERS;
            uint64_t there = 0;
            if (!atomic_compare_exchange_strong(&caller->address, &there, address) && there != address)
                continue;
            atomic_fetch_add_explicit(caller->calls + turn, 1, memory_order_relaxed);
            break;
        }
    }
    me.pending = 0;
    me.moved_sound = me.heard = false;
}

int poll(struct pollfd *descriptors, nfds_t count, int milliseconds)
{
    NEXT(poll);
    end_turn();
    return next(descriptors, count, milliseconds);
}

static inline void note_allocation(void *caller)
{
    if (tap && me.pending < PENDING)
        me.allocations[me.pending++] = (uint64_t)caller;
}

// glibc's own, so that no dlsym is needed, which itself allocates.
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t bytes)
{
    note_allocation(__builtin_return_address(0));
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    note_allocation(__builtin_return_address(0));
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    note_allocation(__builtin_return_address(0));
    return __libc_realloc(memory, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    note_allocation(__builtin_return_address(0));
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    note_allocation(__builtin_return_address(0));
    return __libc_memalign(alignment, bytes);
}
