// Chips and lines made of files (README.md says which), behind both versions of libgpiod's interface.
#ifndef PUCKFAKE_CHIP_H
#define PUCKFAKE_CHIP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum { TEXT_BYTES = 32 };  // of the kernel's labels, names and consumers, with the closing zero

struct fake_chip {
    char folder[PATH_MAX];
    char label[TEXT_BYTES];
    unsigned line_count;
};

struct fake_facts {
    char name[TEXT_BYTES];
    char consumer[TEXT_BYTES];
    bool is_used;
};

struct fake_request {
    unsigned offset;
    const char *consumer;
    const char *bias;  // "pull-up", "pull-down", "disabled" or "as-is"
    bool active_low;
    bool is_output;  // inactive at first; its bias counts for nothing
};

struct fake_edge {
    bool rising;  // to active
    int64_t nanoseconds;
};

struct fake_line;

// All return 0 (or what they say) when it went well, a negative errno otherwise.
int fake_chip_open(struct fake_chip *chip, const char *path);
int fake_chip_facts(const struct fake_chip *chip, unsigned offset, struct fake_facts *facts);

int fake_line_take(struct fake_line **line, const struct fake_chip *chip, const struct fake_request *request);
void fake_line_release(struct fake_line *line);
int fake_line_descriptor(const struct fake_line *line);
// Of an output: `active` as the program means it.
int fake_line_set(struct fake_line *line, bool active);
// 1 for active.
int fake_line_level(struct fake_line *line);
// How many edges; waits for the first unless the descriptor does not block.
int fake_line_read(struct fake_line *line, struct fake_edge *edges, int capacity);

#endif
