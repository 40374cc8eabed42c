#define _GNU_SOURCE
#include "CLinux.h"

#include <linux/wireless.h>
#include <sys/ioctl.h>
#include <sys/time.h>

int puck_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }

char *const *puck_environment(void) { return environ; }

int puck_wifi_power_saving(const char *interface) {
    struct iwreq request;
    memset(&request, 0, sizeof request);
    if (strlen(interface) >= sizeof request.ifr_name)
        return -1;
    strcpy(request.ifr_name, interface);
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    int result = ioctl(descriptor, SIOCGIWPOWER, &request);
    close(descriptor);
    return result < 0 ? -1 : !request.u.power.disabled;
}

static volatile sig_atomic_t exit_status;

static void exit_now(int number) {
    (void)number;
    _exit(exit_status);
}

void puck_exit_after(unsigned milliseconds, int status) {
    exit_status = status;
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
