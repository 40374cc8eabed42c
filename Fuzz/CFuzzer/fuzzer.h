// libFuzzer as a library: clang ships the runtime, and no header for this entry.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Parses libFuzzer's options and runs them; returns an exit status, if at all. `one` gets each input and returns 0.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const uint8_t *data, size_t size));
