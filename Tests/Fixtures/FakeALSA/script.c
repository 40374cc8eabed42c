#include "script.h"

#include <alsa/asoundlib.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAXIMUM_SCRIPTS = 64,
    MAXIMUM_PENDING = 64,   // faults that wait for their position; a further one is refused with a message
    MAXIMUM_BYTES = 4096,   // of a control file; what is behind is not read
};

struct script {
    char path[PATH_MAX];
    char text[MAXIMUM_BYTES];
    size_t bytes;
    struct timespec changed;
    struct fault pending[MAXIMUM_PENDING];
    int count;
    bool lost, busy, zeros;
    int64_t drift, rotation, refusal, delay_error, delay_floor;
};

static const struct {
    const char *word;
    enum fault_kind kind;
} words[] = {
    {"overrun", FAULT_XRUN},   {"underrun", FAULT_XRUN}, {"stall", FAULT_STALL}, {"resume", FAULT_GO},
    {"enodev", FAULT_LOST},    {"return", FAULT_RETURN}, {"suspend", FAULT_SUSPEND}, {"short", FAULT_SHORT},
    {"busy", FAULT_BUSY},      {"free", FAULT_FREE},     {"zeros", FAULT_ZEROS}, {"sound", FAULT_SOUND},
    {"drift", FAULT_DRIFT},    {"badfd", FAULT_BADFD},   {"hang", FAULT_HANG},
    {"refuse", FAULT_REFUSE},  {"delay_error", FAULT_DELAY_ERROR}, {"delay_floor", FAULT_DELAY_FLOOR},
    {"rotate", FAULT_ROTATE},
};

struct script *script_find(const char *path)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct script scripts[MAXIMUM_SCRIPTS];
    struct script *found = NULL;
    if (strlen(path) >= PATH_MAX)
        return NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAXIMUM_SCRIPTS && !found; i++) {
        if (!scripts[i].path[0])
            strcpy(scripts[i].path, path);
        if (strcmp(scripts[i].path, path) == 0)
            found = &scripts[i];
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void run_line(struct script *script, char *line)
{
    struct fault fault = {.at = -1};
    char *rest = line, *word = strtok_r(line, " \t\r", &rest);
    if (!word || word[0] == '#')
        return;
    if (strcmp(word, "at") == 0) {
        const char *number = strtok_r(NULL, " \t\r", &rest);
        fault.at = number ? strtoll(number, NULL, 10) : 0;
        word = strtok_r(NULL, " \t\r", &rest);
    }
    const char *parameter = strtok_r(NULL, " \t\r", &rest);
    fault.parameter = parameter ? strtoll(parameter, NULL, 10) : 0;
    for (size_t i = 0; word && i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) != 0)
            continue;
        fault.kind = words[i].kind;
        if (script->count == MAXIMUM_PENDING) {
            SNDERR("puckfake: more than %d faults wait in %s", MAXIMUM_PENDING, script->path);
            return;
        }
        script->pending[script->count++] = fault;
        return;
    }
    SNDERR("puckfake: %s: unknown command '%s'; README.md lists the commands", script->path, word ? word : "at");
}

// Whole lines only: a line that is still being written is read next time.
static void run_lines(struct script *script, size_t from)
{
    char line[128];
    size_t start = from;
    for (size_t i = from; i < script->bytes; i++) {
        if (script->text[i] != '\n')
            continue;
        size_t length = i - start < sizeof line ? i - start : sizeof line - 1;
        memcpy(line, script->text + start, length);
        line[length] = 0;
        run_line(script, line);
        start = i + 1;
    }
    script->bytes = start;
}

void script_poll(struct script *script)
{
    struct stat info;
    char text[MAXIMUM_BYTES];
    if (!script || stat(script->path, &info) < 0)
        return;
    bool same_time = info.st_mtim.tv_sec == script->changed.tv_sec && info.st_mtim.tv_nsec == script->changed.tv_nsec;
    if (same_time && (size_t)info.st_size == script->bytes)
        return;
    int fd = open(script->path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (count < 0)
        return;
    // A file that merely grew is read on; anything else is a new script, run from its top.
    bool grew = (size_t)count > script->bytes && memcmp(text, script->text, script->bytes) == 0;
    if (!grew && same_time)
        return;
    size_t from = grew ? script->bytes : 0;
    memcpy(script->text, text, (size_t)count);
    script->bytes = (size_t)count;
    script->changed = info.st_mtim;
    run_lines(script, from);
}

int64_t script_next(const struct script *script)
{
    int64_t next = INT64_MAX;
    for (int i = 0; script && i < script->count; i++)
        if (script->pending[i].at >= 0 && script->pending[i].at < next)
            next = script->pending[i].at;
    return next;
}

// Faults that outlive the stream they were meant for.
static bool note(struct script *script, const struct fault *fault)
{
    switch (fault->kind) {
    case FAULT_ZEROS: script->zeros = true; return false;
    case FAULT_SOUND: script->zeros = false; return false;
    case FAULT_DRIFT: script->drift = fault->parameter; return false;
    case FAULT_ROTATE: script->rotation = fault->parameter; return true;
    case FAULT_BUSY: script->busy = true; return true;
    case FAULT_REFUSE: script->refusal = fault->parameter; return true;
    case FAULT_DELAY_ERROR: script->delay_error = fault->parameter; return true;
    case FAULT_DELAY_FLOOR: script->delay_floor = fault->parameter; return true;
    case FAULT_FREE: script->busy = false; return true;
    case FAULT_LOST: script->lost = true; return true;
    case FAULT_RETURN: script->lost = false; return true;
    default: return false;
    }
}

static void remove_pending(struct script *script, int i)
{
    script->count--;
    memmove(script->pending + i, script->pending + i + 1, (size_t)(script->count - i) * sizeof script->pending[0]);
}

bool script_take(struct script *script, int64_t position, struct fault *fault)
{
    for (int i = 0; script && i < script->count; i++) {
        if (script->pending[i].at > position)
            continue;
        *fault = script->pending[i];
        remove_pending(script, i);
        note(script, fault);
        return true;
    }
    return false;
}

int64_t script_drift(const struct script *script) { return script ? script->drift : 0; }

int64_t script_rotation(const struct script *script) { return script ? script->rotation : 0; }

int64_t script_delay_error(const struct script *script) { return script ? script->delay_error : 0; }

int64_t script_delay_floor(const struct script *script) { return script ? script->delay_floor : 0; }

bool script_zeros(const struct script *script) { return script && script->zeros; }

int script_open_error(struct script *script)
{
    if (!script)
        return 0;
    script_poll(script);
    // Only what concerns an open: a stall, say, waits until there is a stream.
    for (int i = 0; i < script->count;) {
        if (script->pending[i].at < 0 && note(script, &script->pending[i]))
            remove_pending(script, i);
        else
            i++;
    }
    return script->lost ? -ENOENT : script->busy ? -EBUSY : -(int)script->refusal;
}
