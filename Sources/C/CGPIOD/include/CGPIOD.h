// libgpiod 1.6 (Debian 12) and 2.x (Debian 13) share hardly a function. This shim shows one interface for what a puck
// needs, input lines with edge events and output lines, and picks the implementation when it is compiled. Every `int` result is 0 or
// positive when it went well and a negative errno otherwise. One thread at a time.
//
// libgpiod is loaded when the first chip is opened: a puck without lines needs no libgpiod and does not map it.
#ifndef PUCK_CGPIOD_H
#define PUCK_CGPIOD_H

#include <stdbool.h>
#include <stdint.h>

struct gpiod_chip;      // an open chip
struct puck_gpio_line;  // a requested line

// The kernel's texts have at most 31 bytes and a closing zero.
struct puck_gpio_chip_facts {
    char label[32];
    unsigned line_count;
};

struct puck_gpio_line_facts {
    char name[32];      // "" for none
    bool is_used;
    char consumer[32];  // who holds a used line; "" when the kernel does not say
};

enum puck_gpio_bias { PUCK_GPIO_AS_IS, PUCK_GPIO_DISABLED, PUCK_GPIO_PULL_UP, PUCK_GPIO_PULL_DOWN };

struct puck_gpio_edge {
    bool is_active;       // what the edge led to
    int64_t nanoseconds;  // when; CLOCK_MONOTONIC on kernels from 5.7 on, CLOCK_REALTIME before
};

// The file that puck_gpio_open loads.
const char *puck_gpio_library(void);

// Opens /dev/gpiochipN. -ELIBACC: there is no libgpiod.
int puck_gpio_open(unsigned number, struct gpiod_chip **chip);
void puck_gpio_close(struct gpiod_chip *chip);
int puck_gpio_chip_facts(struct gpiod_chip *chip, struct puck_gpio_chip_facts *facts);
int puck_gpio_line_facts(struct gpiod_chip *chip, unsigned offset, struct puck_gpio_line_facts *facts);

// Takes a line as an input that reports both edges; its descriptor never blocks. When this went well, the line owns the
// chip: do not close it.
int puck_gpio_request(
    struct gpiod_chip *chip, unsigned offset, enum puck_gpio_bias bias, bool active_low, const char *consumer,
    struct puck_gpio_line **line);
// Takes a line as an output, inactive at first. It has no descriptor; otherwise as above.
int puck_gpio_request_output(
    struct gpiod_chip *chip, unsigned offset, bool active_low, const char *consumer, struct puck_gpio_line **line);
// Of an output.
int puck_gpio_set(struct puck_gpio_line *line, bool active);
void puck_gpio_release(struct puck_gpio_line *line);
// Readable while edges wait; the line's.
int puck_gpio_descriptor(const struct puck_gpio_line *line);
// 1 for active.
int puck_gpio_level(struct puck_gpio_line *line);

enum { PUCK_GPIO_EDGES = 16 };  // what the kernel keeps for a line; of more it drops the newest
// Takes the edges that wait, at most PUCK_GPIO_EDGES of them, oldest first, and returns how many; 0 when none does.
int puck_gpio_read(struct puck_gpio_line *line, struct puck_gpio_edge *edges);

#endif
