// Strings of Embedded Swift are compared as they are written, scalar by scalar.

// Swift holds strings for equal that Unicode calls canonically equivalent ("é" as one character or as two), and brings
// 50 KB of tables and code for it. Nothing here depends on that: what is compared are words of this project's own formats, names
// that people have chosen, and identifiers. These definitions win over those of libswiftUnicodeDataTables.a, whose tables
// then are not linked: every scalar is in normal form, has no decomposition, and composes with none.
#ifdef PUCK_EMBEDDED
#include <stdint.h>

extern const uint8_t *const _swift_stdlib_nfd_decompositions;
const uint8_t *const _swift_stdlib_nfd_decompositions = (const uint8_t *)"";

uint16_t _swift_stdlib_getNormData(uint32_t scalar);
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar);
uint32_t _swift_stdlib_getComposition(uint32_t first, uint32_t second);

uint16_t _swift_stdlib_getNormData(uint32_t scalar)
{
    (void)scalar;
    return 0;
}

// Of U+0000, which no scalar is that is asked for.
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar)
{
    (void)scalar;
    return 0;
}

uint32_t _swift_stdlib_getComposition(uint32_t first, uint32_t second)
{
    (void)first;
    (void)second;
    return UINT32_MAX;
}
#endif
