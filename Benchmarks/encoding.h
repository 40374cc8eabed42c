// How puckd encodes, which whatever is compared with it must do as well.
#pragma once

enum {
    RATE = 16000, // Hz
    PERIOD = RATE / 50,
    LONGEST_PACKET = 1275,
    BITS_PER_SECOND = 24000,
    COMPLEXITY = 5,
};
