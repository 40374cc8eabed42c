// libgpiod 1.6's interface, as far as puckd uses it.
#include <errno.h>
#include <gpiod.h>
#include <stdlib.h>

#include "chip.h"

struct gpiod_line {
    struct gpiod_line *next;
    struct fake_facts facts;
    unsigned offset;
    struct gpiod_chip *chip;
    struct fake_line *taken;
};

struct gpiod_chip {
    struct fake_chip chip;
    struct gpiod_line *lines;  // freed with the chip
};

static int result(int error)
{
    if (error >= 0)
        return error;
    errno = -error;
    return -1;
}

struct gpiod_chip *gpiod_chip_open(const char *path)
{
    struct gpiod_chip *chip = calloc(1, sizeof *chip);
    if (result(fake_chip_open(&chip->chip, path)) == 0)
        return chip;
    free(chip);
    return NULL;
}

void gpiod_chip_close(struct gpiod_chip *chip)
{
    for (struct gpiod_line *line = chip->lines, *next; line; line = next) {
        next = line->next;
        gpiod_line_release(line);
        free(line);
    }
    free(chip);
}

const char *gpiod_chip_label(struct gpiod_chip *chip) { return chip->chip.label; }
unsigned int gpiod_chip_num_lines(struct gpiod_chip *chip) { return chip->chip.line_count; }

struct gpiod_line *gpiod_chip_get_line(struct gpiod_chip *chip, unsigned int offset)
{
    struct gpiod_line *line = calloc(1, sizeof *line);
    if (result(fake_chip_facts(&chip->chip, offset, &line->facts)) < 0) {
        free(line);
        return NULL;
    }
    line->offset = offset;
    line->chip = chip;
    line->next = chip->lines;
    chip->lines = line;
    return line;
}

const char *gpiod_line_name(struct gpiod_line *line) { return line->facts.name[0] ? line->facts.name : NULL; }
const char *gpiod_line_consumer(struct gpiod_line *line) { return line->facts.consumer[0] ? line->facts.consumer : NULL; }
bool gpiod_line_is_used(struct gpiod_line *line) { return line->facts.is_used; }

int gpiod_line_request_both_edges_events_flags(struct gpiod_line *line, const char *consumer, int flags)
{
    struct fake_request request = {
        .offset = line->offset,
        .consumer = consumer,
        .bias = flags & GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP     ? "pull-up"
                : flags & GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN ? "pull-down"
                : flags & GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE   ? "disabled"
                                                                 : "as-is",
        .active_low = flags & GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW,
    };
    return result(fake_line_take(&line->taken, &line->chip->chip, &request));
}

int gpiod_line_request_output_flags(struct gpiod_line *line, const char *consumer, int flags, int value)
{
    (void)value;  // always inactive
    struct fake_request request = {
        .offset = line->offset,
        .consumer = consumer,
        .bias = "as-is",
        .active_low = flags & GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW,
        .is_output = true,
    };
    return result(fake_line_take(&line->taken, &line->chip->chip, &request));
}

int gpiod_line_set_value(struct gpiod_line *line, int value) { return result(fake_line_set(line->taken, value)); }

void gpiod_line_release(struct gpiod_line *line)
{
    if (line->taken)
        fake_line_release(line->taken);
    line->taken = NULL;
}

int gpiod_line_event_get_fd(struct gpiod_line *line) { return fake_line_descriptor(line->taken); }
int gpiod_line_get_value(struct gpiod_line *line) { return result(fake_line_level(line->taken)); }

int gpiod_line_event_read_multiple(struct gpiod_line *line, struct gpiod_line_event *events, unsigned int capacity)
{
    struct fake_edge edges[16];
    int count = fake_line_read(line->taken, edges, capacity < 16 ? (int)capacity : 16);
    for (int i = 0; i < count; i++) {
        events[i].event_type = edges[i].rising ? GPIOD_LINE_EVENT_RISING_EDGE : GPIOD_LINE_EVENT_FALLING_EDGE;
        events[i].ts.tv_sec = edges[i].nanoseconds / 1000000000;
        events[i].ts.tv_nsec = edges[i].nanoseconds % 1000000000;
    }
    return result(count);
}
