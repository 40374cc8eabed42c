// Starts a program and says when: writes CLOCK_MONOTONIC in nanoseconds to a file, then becomes the program.
//
// usage: stamp FILE PRELOAD PROGRAM ARGUMENT...      PRELOAD becomes LD_PRELOAD, "-" for none
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    if (count < 4) {
        fprintf(stderr, "usage: stamp FILE PRELOAD PROGRAM ARGUMENT...\n");
        return 64;
    }
    int file = open(arguments[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (strcmp(arguments[2], "-") != 0)
        setenv("LD_PRELOAD", arguments[2], 1);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    dprintf(file, "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    execvp(arguments[3], arguments + 3);
    perror(arguments[3]);
    return 127;
}
