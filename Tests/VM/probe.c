// What the scenarios need in the guest and no package brings: sounds that are known again, a service manager in small,
// and a way to stop one thread of a process.
//   probe say FILE PART ...       writes 16 kHz mono S16_LE: PART is HZ:MS, a voice of that pitch, or 0:MS, a quiet room
//   probe hear FILE HZ ...        prints what is in such a file, in order: each pitch of those named with its milliseconds
//   probe serve MS LOG CMD ...    runs CMD as systemd does with WatchdogSec: what it says goes to LOG; without WATCHDOG=1
//                                 for MS milliseconds it is killed and started again
//   probe freeze PID THREAD       stops the thread of that name until this process ends
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { rate = 16000, window = rate / 25 };  // 40 ms: 25 Hz wide

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int say(char **arguments) {
    FILE *file = fopen(arguments[0], "wb");
    if (!file) fail(arguments[0]);
    uint32_t state = 0x12345678;
    for (char **part = arguments + 1; *part; part++) {
        int hertz, milliseconds;
        if (sscanf(*part, "%d:%d", &hertz, &milliseconds) != 2) { errno = EINVAL; fail(*part); }
        for (long n = 0; n < (long)milliseconds * rate / 1000; n++) {
            state = state * 1664525 + 1013904223;
            double sample = (int)(state >> 16) % 90 - 45;  // -62 dB
            for (int harmonic = 1; hertz && harmonic <= 5; harmonic++)
                sample += 5000 * sin(2 * M_PI * hertz * harmonic * n / rate) / harmonic;
            int16_t word = (int16_t)sample;
            fwrite(&word, sizeof word, 1, file);
        }
    }
    return fclose(file) ? 1 : 0;
}

// Goertzel: the amplitude of one frequency in a window.
static double amplitude(const int16_t *samples, double hertz) {
    double k = 2 * cos(2 * M_PI * hertz / rate), a = 0, b = 0;
    for (int i = 0; i < window; i++) {
        double c = samples[i] + k * a - b;
        b = a;
        a = c;
    }
    return sqrt(a * a + b * b - k * a * b) * 2 / window;
}

static int hear(char **arguments) {
    FILE *file = fopen(arguments[0], "rb");
    if (!file) fail(arguments[0]);
    int16_t samples[window];
    int last = -1, windows = 0;
    for (;;) {
        int now = -1;
        int whole = fread(samples, sizeof samples, 1, file) == 1;
        double best = 300;  // a twentieth of what is said
        for (int i = 0; whole && arguments[i + 1]; i++) {
            double level = amplitude(samples, atof(arguments[i + 1]));
            if (level > best) best = level, now = i;
        }
        if (whole && now == last) {
            windows++;
            continue;
        }
        // Where two pitches meet a window is anything.
        if (last >= 0 && windows >= 3) printf("%s:%d ", arguments[last + 1], windows * 40);
        if (!whole) break;
        last = now;
        windows = 1;
    }
    printf("\n");
    return 0;
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static volatile sig_atomic_t ended;
static void end(int signal) { ended = signal; }

static int serve(char **arguments) {
    long limit = atol(arguments[0]);
    FILE *log = fopen(arguments[1], "a");
    if (!log) fail(arguments[1]);
    setvbuf(log, NULL, _IOLBF, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s.socket", arguments[1]);
    int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(notify, (struct sockaddr *)&address, sizeof address)) fail(address.sun_path);
    char text[32];
    snprintf(text, sizeof text, "%ld", limit * 1000);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("WATCHDOG_USEC", text, 1);
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    while (!ended) {
        pid_t child = fork();
        if (child == 0) {
            execvp(arguments[2], arguments + 2);
            _exit(127);
        }
        fprintf(log, "started %d\n", child);
        long long due = 0;  // the watchdog begins with READY=1
        int status = 0;
        while (waitpid(child, &status, WNOHANG) == 0) {
            if (ended) kill(child, SIGTERM);
            struct pollfd wait = {.fd = notify, .events = POLLIN};
            char message[512];
            ssize_t size = poll(&wait, 1, 50) > 0 ? recv(notify, message, sizeof message - 1, 0) : -1;
            if (size > 0) {
                message[size] = 0;
                fprintf(log, "%s\n", message);
                if (strstr(message, "READY=1") || strstr(message, "WATCHDOG=1")) due = now_ms() + limit;
            }
            if (due && now_ms() > due) {
                fprintf(log, "watchdog: killing %d\n", child);
                kill(child, SIGKILL);
                due = 0;
            }
        }
        fprintf(log, "ended with status %d\n", status);
    }
    return 0;
}

static int freeze(char **arguments) {
    char path[64], name[32];
    snprintf(path, sizeof path, "/proc/%d/task", atoi(arguments[0]));
    DIR *folder = opendir(path);
    if (!folder) fail(path);
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "/proc/%d/task/%d/comm", atoi(arguments[0]), atoi(entry->d_name));
        FILE *file = fopen(path, "r");
        if (!file || !fgets(name, sizeof name, file)) continue;
        fclose(file);
        name[strcspn(name, "\n")] = 0;
        if (strcmp(name, arguments[1])) continue;
        pid_t thread = atoi(entry->d_name);
        if (ptrace(PTRACE_SEIZE, thread, NULL, NULL)) fail("PTRACE_SEIZE");
        if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL)) fail("PTRACE_INTERRUPT");
        if (waitpid(thread, NULL, __WALL) != thread) fail("waitpid");
        printf("frozen %d\n", thread);
        fflush(stdout);
        waitpid(thread, NULL, __WALL);  // until it is killed, or this process is
        return 0;
    }
    errno = ESRCH;
    fail(arguments[1]);
}

int main(int count, char **arguments) {
    if (count >= 4 && !strcmp(arguments[1], "say")) return say(arguments + 2);
    if (count >= 4 && !strcmp(arguments[1], "hear")) return hear(arguments + 2);
    if (count >= 5 && !strcmp(arguments[1], "serve")) return serve(arguments + 2);
    if (count == 4 && !strcmp(arguments[1], "freeze")) return freeze(arguments + 2);
    fprintf(stderr, "usage: probe say|hear|serve|freeze ...; probe.c says how\n");
    return 64;
}
