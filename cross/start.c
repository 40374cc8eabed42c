// Where an ARMv6 program begins. Debian's own start files are ARMv7 code and would end a Raspberry Pi Zero's program at
// its first instruction.

#include <stdint.h>
#include <stdlib.h>

int main(int argc, char **argv, char **environment);
int __libc_start_main(
    int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
    void (*loader_fini)(void), void *stack_end);

// What a program passes to atexit to be known by; crtbeginS.o would have it.
__attribute__((visibility("hidden"))) void *__dso_handle = 0;

// The kernel's stack: argc, the arguments, a null, the environment.
__attribute__((noreturn, used, visibility("hidden"))) void puck_start(void (*loader_fini)(void), uintptr_t *stack)
{
    __libc_start_main(main, (int)stack[0], (char **)(stack + 1), 0, 0, loader_fini, stack);
    abort();
}

// r0 is the loader's; no frame is above this one.
__attribute__((naked, noreturn)) void _start(void)
{
    __asm__("mov fp, #0\n\tmov lr, #0\n\tmov r1, sp\n\tb puck_start");
}
