#define _GNU_SOURCE
#include "CLinux.h"

int puck_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }
