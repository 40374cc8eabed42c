#define _GNU_SOURCE
#include "CLinux.h"

#include <sys/time.h>

int puck_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }

static void exit_now(int number) {
    (void)number;
    _exit(0);
}

void puck_exit_after(unsigned milliseconds) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = exit_now;
    sigaction(SIGALRM, &action, NULL);
    // Whoever started the process may have left it blocked.
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    struct itimerval time = {{0, 0}, {milliseconds / 1000, (milliseconds % 1000) * 1000}};
    setitimer(ITIMER_REAL, &time, NULL);
}
