// Mends the runtime of Embedded Swift on 64-bit ARM.

// In Swift 6.3 swift_bridgeObjectRetain returns the object without its tag bits, while the compiler tells LLVM that it
// returns what it was given. The code for ARM relies on that: a short string that was retained came back without the bits
// that say what it is, and reading it was a segmentation fault. The toolchain's definitions are weak, so these win.
#if defined(PUCK_EMBEDDED) && defined(__aarch64__)
#include <stdint.h>

void *swift_retain(void *object);
void *swift_bridgeObjectRetain(void *object);
void *swift_bridgeObjectRetain_n(void *object, uint32_t count);

void *swift_bridgeObjectRetain_n(void *object, uint32_t count)
{
    // The top bit is that of strings without an object; bits 60-62 and 0-2 are tags.
    if ((intptr_t)object > 0)
        for (; count > 0; count--)
            swift_retain((void *)((uintptr_t)object & UINT64_C(0x8ffffffffffffff8)));
    return object;
}

void *swift_bridgeObjectRetain(void *object)
{
    return swift_bridgeObjectRetain_n(object, 1);
}
#endif
