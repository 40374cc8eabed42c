// libopus alone: encodes a recording once with the settings of puckd, and prints the processor time that it took. No
// device, no network. Compiled for a board, it says what the job costs there at least.
//
// usage: encode FILE   FILE holds 16 kHz mono S16 in the machine's byte order, without a header
//   prints: nanoseconds of processor time, nanoseconds of sound, bytes of all packets
#include "encoding.h"

#include <opus.h>
#include <stdio.h>
#include <time.h>

enum { LONGEST_SOUND = 60 * RATE };

static opus_int16 sound[LONGEST_SOUND];

static long long processor_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    int error;
    OpusEncoder *encoder = opus_encoder_create(RATE, 1, OPUS_APPLICATION_VOIP, &error);
    if (!file || error != OPUS_OK) {
        fprintf(stderr, "usage: encode FILE\n");
        return 64;
    }
    opus_encoder_ctl(encoder, OPUS_SET_BITRATE(BITS_PER_SECOND));
    opus_encoder_ctl(encoder, OPUS_SET_VBR(1));
    opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(COMPLEXITY));
    size_t samples = fread(sound, sizeof sound[0], LONGEST_SOUND, file), at = 0;
    unsigned char packet[LONGEST_PACKET];
    long long bytes = 0, began = processor_time();
    for (; at + PERIOD <= samples; at += PERIOD)
        bytes += opus_encode(encoder, sound + at, PERIOD, packet, sizeof packet);
    printf("%lld %lld %lld\n", processor_time() - began, (long long)at * 1000000000 / RATE, bytes);
    return 0;
}
