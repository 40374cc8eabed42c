#include "chip.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_SCRIPT = 1024, MILLISECOND = 1000000 };

// A line that somebody has requested. A thread of its own follows its file and puts edges into a socket, whose other end
// is the descriptor that the program polls.
struct fake_line {
    char folder[PATH_MAX];
    char file[16];
    bool active_low;
    bool is_silent;
    bool is_output;
    int lock;       // on OFFSET.request, which shows others that the line is taken
    int watch;      // inotify
    int stop;       // eventfd
    int ends[2];    // the program's, the thread's
    pthread_t thread;
    pthread_mutex_t guard;  // of the two below
    int level;      // 0 or 1, as a voltmeter would see it
    bool is_gone;
};

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// Path of a file in a chip's folder; false when it does not fit.
static bool place(char path[PATH_MAX], const char *folder, const char *format, unsigned offset)
{
    char name[32];
    snprintf(name, sizeof name, format, offset);
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

// A small file's text without its last newline; false when there is no such file.
static bool contents(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t count = read(file, text, size - 1);
    close(file);
    text[count > 0 ? count : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    return true;
}

int fake_chip_open(struct fake_chip *chip, const char *path)
{
    const char *root = getenv("PUCK_FAKE_GPIO"), *name = strrchr(path, '/');
    char file[PATH_MAX], text[TEXT_BYTES];
    struct stat info;
    if (!root || !name || snprintf(chip->folder, PATH_MAX, "%s%s", root, name) >= PATH_MAX)
        return -ENOENT;
    if (stat(chip->folder, &info) < 0)
        return -errno;
    if (place(file, chip->folder, "denied", 0) && access(file, F_OK) == 0)
        return -EACCES;
    chip->label[0] = 0;
    if (place(file, chip->folder, "label", 0))
        contents(file, chip->label, sizeof chip->label);
    chip->line_count = 54;
    if (place(file, chip->folder, "lines", 0) && contents(file, text, sizeof text))
        chip->line_count = (unsigned)strtoul(text, NULL, 10);
    return 0;
}

int fake_chip_facts(const struct fake_chip *chip, unsigned offset, struct fake_facts *facts)
{
    char path[PATH_MAX];
    *facts = (struct fake_facts){0};
    if (offset >= chip->line_count)
        return -EINVAL;
    if (place(path, chip->folder, "%u.name", offset))
        contents(path, facts->name, sizeof facts->name);
    if (place(path, chip->folder, "%u.holder", offset) && contents(path, facts->consumer, sizeof facts->consumer)) {
        facts->is_used = true;
        return 0;
    }
    if (!place(path, chip->folder, "%u.request", offset))
        return 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    facts->is_used = flock(file, LOCK_SH | LOCK_NB) < 0;
    close(file);
    if (facts->is_used) {
        contents(path, facts->consumer, sizeof facts->consumer);
        facts->consumer[strcspn(facts->consumer, " ")] = 0;
    }
    return 0;
}

static void set_level(struct fake_line *line, int level, int64_t when)
{
    pthread_mutex_lock(&line->guard);
    if (level != line->level) {
        line->level = level;
        struct fake_edge edge = {.rising = level != line->active_low, .nanoseconds = when};
        // A program that does not read loses edges, as with the kernel.
        send(line->ends[1], &edge, sizeof edge, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    pthread_mutex_unlock(&line->guard);
}

// Waits until a moment; true when the line is released meanwhile.
static bool stopped_before(struct fake_line *line, int64_t when)
{
    struct pollfd entry = {.fd = line->stop, .events = POLLIN};
    for (int64_t left = when - now(); left > 0; left = when - now())
        if (poll(&entry, 1, (int)((left + MILLISECOND - 1) / MILLISECOND)) > 0)
            return true;
    return false;
}

// Runs what the line's file says: a level, or levels with pauses in milliseconds between them. The edges are exactly so
// far apart, however late this thread is.
static bool run_script(struct fake_line *line)
{
    char path[PATH_MAX], text[LONGEST_SCRIPT], *rest = text;
    if (snprintf(path, sizeof path, "%s/%s", line->folder, line->file) >= (int)sizeof path)
        return true;
    if (!contents(path, text, sizeof text))
        return true;
    int64_t when = now();
    bool is_pause = false;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest), is_pause = !is_pause) {
        if (!is_pause) {
            set_level(line, *word == '1', when);
            continue;
        }
        when += strtoll(word, NULL, 10) * MILLISECOND;
        if (stopped_before(line, when))
            return false;
    }
    return true;
}

static void go(struct fake_line *line)
{
    pthread_mutex_lock(&line->guard);
    line->is_gone = true;
    if (!line->is_silent) {
        close(line->ends[1]);  // the other end hangs up
        line->ends[1] = -1;
    }
    pthread_mutex_unlock(&line->guard);
}

static void *follow(void *argument)
{
    struct fake_line *line = argument;
    struct pollfd entries[2] = {{.fd = line->watch, .events = POLLIN}, {.fd = line->stop, .events = POLLIN}};
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (poll(entries, 2, -1) > 0 || errno == EINTR) {
        if (entries[1].revents)
            break;
        ssize_t count = read(line->watch, buffer, sizeof buffer);
        const struct inotify_event *event;
        for (ssize_t i = 0; i < count; i += (ssize_t)(sizeof *event + event->len)) {
            event = (const struct inotify_event *)(buffer + i);
            if (event->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED)) {
                go(line);
                return NULL;
            }
            if (event->len && strcmp(event->name, line->file) == 0 && !run_script(line))
                return NULL;
        }
    }
    return NULL;
}

// The level that the line rests at: what its file says last, else what its bias pulls to.
static int resting_level(const struct fake_line *line, const char *bias)
{
    char path[PATH_MAX], text[LONGEST_SCRIPT];
    snprintf(path, sizeof path, "%.4000s/%s", line->folder, line->file);
    if (!contents(path, text, sizeof text) || !*text)
        return strcmp(bias, "pull-up") == 0;
    const char *last = strrchr(text, ' ');
    return (last ? last[1] : text[0]) == '1';
}

// Takes the lock that shows others who has the line; writes down how.
static int take_lock(const char *folder, const struct fake_request *request)
{
    char path[PATH_MAX];
    struct stat info;
    if (!place(path, folder, "%u.holder", request->offset) || stat(path, &info) == 0)
        return -EBUSY;
    if (!place(path, folder, "%u.request", request->offset))
        return -ENAMETOOLONG;
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0)
        return -errno;
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        close(lock);
        return -EBUSY;
    }
    if (ftruncate(lock, 0) < 0 || dprintf(lock, "%s active-%s %s\n", request->consumer,
                                          request->active_low ? "low" : "high",
                                          request->is_output ? "output" : request->bias) < 0)
        return close(lock), -EIO;
    return lock;
}

int fake_line_take(struct fake_line **result, const struct fake_chip *chip, const struct fake_request *request)
{
    if (request->offset >= chip->line_count)
        return -EINVAL;
    int lock = take_lock(chip->folder, request);
    if (lock < 0)
        return lock;
    struct fake_line *line = calloc(1, sizeof *line);
    strcpy(line->folder, chip->folder);
    snprintf(line->file, sizeof line->file, "%u", request->offset);
    line->active_low = request->active_low;
    char path[PATH_MAX];
    line->is_silent = place(path, chip->folder, "silent", 0) && access(path, F_OK) == 0;
    line->lock = lock;
    line->is_output = request->is_output;
    if (line->is_output) {
        line->watch = line->stop = line->ends[0] = line->ends[1] = -1;
        *result = line;
        return fake_line_set(line, false);
    }
    line->stop = eventfd(0, EFD_CLOEXEC);
    line->watch = inotify_init1(IN_CLOEXEC);
    inotify_add_watch(line->watch, line->folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF);
    line->level = resting_level(line, request->bias);
    pthread_mutex_init(&line->guard, NULL);
    if (line->watch < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line->ends) < 0 ||
        pthread_create(&line->thread, NULL, follow, line) != 0) {
        fprintf(stderr, "fake libgpiod: %s: no descriptors or threads left\n", line->folder);
        abort();
    }
    *result = line;
    return 0;
}

void fake_line_release(struct fake_line *line)
{
    if (!line->is_output) {
        eventfd_write(line->stop, 1);
        pthread_join(line->thread, NULL);
        pthread_mutex_destroy(&line->guard);
    }
    int descriptors[] = {line->lock, line->watch, line->stop, line->ends[0], line->ends[1]};
    for (unsigned i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    free(line);
}

int fake_line_set(struct fake_line *line, bool active)
{
    char path[PATH_MAX];
    struct stat info;
    if (stat(line->folder, &info) < 0)
        return -ENODEV;
    bool level = active != line->active_low;
    if (snprintf(path, sizeof path, "%s/%s", line->folder, line->file) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0 || pwrite(file, level ? "1\n" : "0\n", 2, 0) < 0)
        return -errno;
    close(file);
    if (snprintf(path, sizeof path, "%s/trace", line->folder) >= (int)sizeof path)
        return -ENAMETOOLONG;
    if ((file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0)
        return 0;
    dprintf(file, "%s %d\n", line->file, level);
    close(file);
    return 0;
}

int fake_line_descriptor(const struct fake_line *line) { return line->ends[0]; }

int fake_line_level(struct fake_line *line)
{
    pthread_mutex_lock(&line->guard);
    int level = line->is_gone ? -ENODEV : line->level != line->active_low;
    pthread_mutex_unlock(&line->guard);
    return level;
}

int fake_line_read(struct fake_line *line, struct fake_edge *edges, int capacity)
{
    int count = 0;
    if (fake_line_level(line) == -ENODEV)
        return -ENODEV;
    while (count < capacity) {
        ssize_t size = recv(line->ends[0], edges + count, sizeof *edges, count ? MSG_DONTWAIT : 0);
        if (size == (ssize_t)sizeof *edges)
            count++;
        else if (count)
            break;
        else
            return size == 0 ? -ENODEV : -errno;
    }
    return count;
}
