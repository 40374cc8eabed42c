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

ssize_t puck_send_passing(int fd, const void *bytes, size_t count, int passed) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    union {
        struct cmsghdr alignment;
        char room[CMSG_SPACE(sizeof passed)];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof passed);
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t puck_receive_passed(int fd, void *bytes, size_t count, struct sockaddr *from, socklen_t *from_length,
                            int *passed, uint32_t *user) {
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    union {
        struct cmsghdr alignment;
        char room[CMSG_SPACE(sizeof *passed) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr message = {.msg_name = from, .msg_namelen = *from_length, .msg_iov = &part, .msg_iovlen = 1};
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    *passed = -1;
    *user = UINT32_MAX;
    ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (size < 0)
        return size;
    *from_length = message.msg_namelen;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET)
            continue;
        if (header->cmsg_type == SCM_CREDENTIALS) {
            struct ucred sender;
            memcpy(&sender, CMSG_DATA(header), sizeof sender);
            *user = sender.uid;
        } else if (header->cmsg_type == SCM_RIGHTS) {
            // The room for credentials may hold further descriptors where there are none; only one is wanted.
            size_t descriptors = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < descriptors; i++) {
                int descriptor;
                memcpy(&descriptor, CMSG_DATA(header) + i * sizeof descriptor, sizeof descriptor);
                if (*passed < 0)
                    *passed = descriptor;
                else
                    close(descriptor);
            }
        }
    }
    return size;
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
