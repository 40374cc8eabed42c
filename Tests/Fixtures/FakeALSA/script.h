// The control file: one fault a line, see README.md.
#ifndef PUCKFAKE_SCRIPT_H
#define PUCKFAKE_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_XRUN,      // parameter: milliseconds that recovery takes
    FAULT_STALL,
    FAULT_GO,
    FAULT_LOST,
    FAULT_RETURN,
    FAULT_SUSPEND,   // parameter: how many attempts to resume come too early; negative: all
    FAULT_SHORT,
    FAULT_BUSY,
    FAULT_FREE,
    FAULT_ZEROS,
    FAULT_SOUND,
    FAULT_DRIFT,     // parameter: thousandths by which the device's clock is fast; negative: slow
    FAULT_BADFD,
    FAULT_HANG,      // parameter: milliseconds
    FAULT_REFUSE,    // parameter: the errno that every open fails with; 0: none
    FAULT_DELAY_ERROR,  // parameter: the errno that every question for the delay is answered with; 0: none
    FAULT_DELAY_FLOOR,  // parameter: frames below which the delay never gets; 0: none
    FAULT_ROTATE,    // parameter: places by which the channels of the next opens are moved up
};

struct fault {
    enum fault_kind kind;
    int64_t at;         // stream position; -1: at once
    int64_t parameter;
};

// What one control file has said so far. Kept for the life of the process, so that a device which was lost stays lost
// when it is opened again, and a line runs once.
struct script;

// NULL when there is no room for a further control file (64 in one process).
struct script *script_find(const char *path);
// Reads what is new in the file, at most once a call; cheap when nothing changed.
void script_poll(struct script *script);
// The position of the next fault that waits for one; INT64_MAX when there is none.
int64_t script_next(const struct script *script);
// Takes one fault that is due at `position`.
bool script_take(struct script *script, int64_t position, struct fault *fault);
// Thousandths by which the device's clock is fast, whoever has it open.
int64_t script_drift(const struct script *script);
// Places by which the channels are moved up.
int64_t script_rotation(const struct script *script);
// Whether it delivers zeros instead of what it hears.
bool script_zeros(const struct script *script);
// What the delay is answered with: a positive errno, 0 for none, and the least number of frames.
int64_t script_delay_error(const struct script *script);
int64_t script_delay_floor(const struct script *script);
// What a closed device would do with an open: 0, -EBUSY, -ENOENT or what 'refuse' names. Runs the due faults that change this.
int script_open_error(struct script *script);

#endif
