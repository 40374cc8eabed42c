// libc and Linux system calls, as one module that both the ordinary and the Embedded build can import (Embedded
// Swift has no Glibc overlay). The inline functions exist only for what Swift cannot import: errno is a macro over a
// function call, and open, fcntl and ioctl are variadic.
#ifndef PUCK_CLINUX_H
#define PUCK_CLINUX_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <linux/spi/spidev.h>
#include <malloc.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline int puck_errno(void) { return errno; }
// Whether mlockall may be asked for all that there will ever be; RLIMIT_MEMLOCK is a macro of an enumeration.
static inline int puck_may_lock_all_memory(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}
static inline int puck_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
static inline int puck_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }
// Mode 0, 8 bits a word, so many hertz at most; SPI_IOC_* are macros with casts in them. 0 or -1 with errno.
static inline int puck_spi_set_up(int fd, uint32_t hertz) {
    uint8_t mode = SPI_MODE_0, bits = 8;
    return ioctl(fd, SPI_IOC_WR_MODE, &mode) < 0 || ioctl(fd, SPI_IOC_WR_BITS_PER_WORD, &bits) < 0 ||
                   ioctl(fd, SPI_IOC_WR_MAX_SPEED_HZ, &hertz) < 0
               ? -1
               : 0;
}
// One transfer, of which nothing is read. -1 with errno when it failed.
static inline int puck_spi_send(int fd, const uint8_t *bytes, uint32_t count, uint32_t hertz) {
    struct spi_ioc_transfer transfer;
    memset(&transfer, 0, sizeof transfer);
    transfer.tx_buf = (uintptr_t)bytes;
    transfer.len = count;
    transfer.speed_hz = hertz;
    transfer.bits_per_word = 8;
    return ioctl(fd, SPI_IOC_MESSAGE(1), &transfer);
}
// SIG_IGN is a cast of a number to a function pointer.
static inline void puck_ignore_signal(int number) { signal(number, SIG_IGN); }
// pthread_setname_np is only declared under _GNU_SOURCE, which a module's importer cannot ask for.
int puck_name_thread(const char *name);
// environ is declared under _GNU_SOURCE only.
char *const *puck_environment(void);
// Whether a Wi-Fi interface saves power: 1, 0, or -1 where the driver does not say (SIOCGIWPOWER; ioctl is variadic and
// <linux/wireless.h> is a header of unions and macros).
int puck_wifi_power_saving(const char *interface);
// One datagram with an open descriptor beside it. The CMSG_* macros are pointer arithmetic over a union.
ssize_t puck_send_passing(int fd, const void *bytes, size_t count, int passed);
// As recvfrom; `passed` is a descriptor that came along (-1: none), `user` the sender's id where the socket has SO_PASSCRED
// (UINT32_MAX: unknown; struct ucred is declared under _GNU_SOURCE only).
ssize_t puck_receive_passed(int fd, void *bytes, size_t count, struct sockaddr *from, socklen_t *from_length,
                            int *passed, uint32_t *user);
// Ends the process with this status after so many milliseconds (0: not any more), whatever its threads are doing (SIGALRM and an interval
// timer, whose handler is a function that Swift could not promise to be async-signal-safe).
void puck_exit_after(unsigned milliseconds, int status);

#endif
