#include "CGPIOD.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <stdio.h>
#include <stdlib.h>

// A macro that 2.x no longer has.
#ifdef GPIOD_BIT
#define IS_VERSION_1 1
#define LIBRARY "libgpiod.so.2"
#else
#define IS_VERSION_1 0
#define LIBRARY "libgpiod.so.3"
#endif

static void *library;

const char *puck_gpio_library(void) { return LIBRARY; }

static void *symbol(const char *name)
{
    void *found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "%s has no %s: it is not what it says\n", LIBRARY, name);
        abort();
    }
    return found;
}

// A function of libgpiod, with the type that its header gives it. Looked up at each call: they are a few in a second.
#define LIB(name) ((__typeof__(&name))symbol(#name))
// The same, looked up once: bits of light go through it by the thousand.
#define LIB_ONCE(name) ({ static __typeof__(&name) found; found ? found : (found = LIB(name)); })

struct puck_gpio_line {
    int descriptor;
    unsigned offset;
#if IS_VERSION_1
    struct gpiod_chip *chip;  // closing it would release the line
    struct gpiod_line *line;
#else
    struct gpiod_line_request *request;
    struct gpiod_edge_event_buffer *events;
#endif
};

// What a failed call left behind; never 0, which would read as success.
static int failure(void) { return errno > 0 ? -errno : -EIO; }

static void copy(char to[32], const char *from) { snprintf(to, 32, "%s", from ? from : ""); }

// A libgpiod descriptor blocks when nothing waits, and the loop may not.
static int stop_blocking(int descriptor)
{
    int flags = descriptor < 0 ? -1 : fcntl(descriptor, F_GETFL);
    return flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ? failure() : 0;
}

int puck_gpio_open(unsigned number, struct gpiod_chip **chip)
{
    char path[32];
    snprintf(path, sizeof path, "/dev/gpiochip%u", number);
    // Never closed: it is needed as long as a line is configured.
    if (!library && !(library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL)))
        return -ELIBACC;
    *chip = LIB(gpiod_chip_open)(path);
    return *chip ? 0 : failure();
}

void puck_gpio_close(struct gpiod_chip *chip) { LIB(gpiod_chip_close)(chip); }

#if IS_VERSION_1

int puck_gpio_chip_facts(struct gpiod_chip *chip, struct puck_gpio_chip_facts *facts)
{
    copy(facts->label, LIB(gpiod_chip_label)(chip));
    facts->line_count = LIB(gpiod_chip_num_lines)(chip);
    return 0;
}

int puck_gpio_line_facts(struct gpiod_chip *chip, unsigned offset, struct puck_gpio_line_facts *facts)
{
    struct gpiod_line *line = LIB(gpiod_chip_get_line)(chip, offset);
    if (!line)
        return failure();
    copy(facts->name, LIB(gpiod_line_name)(line));
    copy(facts->consumer, LIB(gpiod_line_consumer)(line));
    facts->is_used = LIB(gpiod_line_is_used)(line);
    return 0;
}

static int flags(enum puck_gpio_bias bias, bool active_low)
{
    int flags = active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
    switch (bias) {
    case PUCK_GPIO_AS_IS: return flags;
    case PUCK_GPIO_DISABLED: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE;
    case PUCK_GPIO_PULL_UP: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP;
    case PUCK_GPIO_PULL_DOWN: return flags | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN;
    }
    return flags;
}

int puck_gpio_request(
    struct gpiod_chip *chip, unsigned offset, enum puck_gpio_bias bias, bool active_low, const char *consumer,
    struct puck_gpio_line **result)
{
    struct gpiod_line *line = LIB(gpiod_chip_get_line)(chip, offset);
    if (!line || LIB(gpiod_line_request_both_edges_events_flags)(line, consumer, flags(bias, active_low)) < 0)
        return failure();
    int error = stop_blocking(LIB(gpiod_line_event_get_fd)(line));
    *result = error < 0 ? NULL : malloc(sizeof **result);
    if (!*result) {
        LIB(gpiod_line_release)(line);
        return error < 0 ? error : -ENOMEM;
    }
    **result = (struct puck_gpio_line){LIB(gpiod_line_event_get_fd)(line), offset, chip, line};
    return 0;
}

int puck_gpio_request_output(
    struct gpiod_chip *chip, unsigned offset, bool active_low, const char *consumer, struct puck_gpio_line **result)
{
    struct gpiod_line *line = LIB(gpiod_chip_get_line)(chip, offset);
    if (!line || LIB(gpiod_line_request_output_flags)(line, consumer, flags(PUCK_GPIO_AS_IS, active_low), 0) < 0)
        return failure();
    *result = malloc(sizeof **result);
    if (!*result) {
        LIB(gpiod_line_release)(line);
        return -ENOMEM;
    }
    **result = (struct puck_gpio_line){-1, offset, chip, line};
    return 0;
}

int puck_gpio_set(struct puck_gpio_line *line, bool active)
{
    return LIB_ONCE(gpiod_line_set_value)(line->line, active) < 0 ? failure() : 0;
}

void puck_gpio_release(struct puck_gpio_line *line)
{
    LIB(gpiod_line_release)(line->line);
    LIB(gpiod_chip_close)(line->chip);
    free(line);
}

int puck_gpio_level(struct puck_gpio_line *line)
{
    int level = LIB(gpiod_line_get_value)(line->line);
    return level < 0 ? failure() : level;
}

int puck_gpio_read(struct puck_gpio_line *line, struct puck_gpio_edge *edges)
{
    struct gpiod_line_event events[PUCK_GPIO_EDGES];
    int count = LIB(gpiod_line_event_read_multiple)(line->line, events, PUCK_GPIO_EDGES);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : failure();
    for (int i = 0; i < count; i++) {
        edges[i].is_active = events[i].event_type == GPIOD_LINE_EVENT_RISING_EDGE;
        edges[i].nanoseconds = (int64_t)events[i].ts.tv_sec * 1000000000 + events[i].ts.tv_nsec;
    }
    return count;
}

#else  // 2.x

int puck_gpio_chip_facts(struct gpiod_chip *chip, struct puck_gpio_chip_facts *facts)
{
    struct gpiod_chip_info *info = LIB(gpiod_chip_get_info)(chip);
    if (!info)
        return failure();
    copy(facts->label, LIB(gpiod_chip_info_get_label)(info));
    facts->line_count = (unsigned)LIB(gpiod_chip_info_get_num_lines)(info);
    LIB(gpiod_chip_info_free)(info);
    return 0;
}

int puck_gpio_line_facts(struct gpiod_chip *chip, unsigned offset, struct puck_gpio_line_facts *facts)
{
    struct gpiod_line_info *info = LIB(gpiod_chip_get_line_info)(chip, offset);
    if (!info)
        return failure();
    copy(facts->name, LIB(gpiod_line_info_get_name)(info));
    copy(facts->consumer, LIB(gpiod_line_info_get_consumer)(info));
    facts->is_used = LIB(gpiod_line_info_is_used)(info);
    LIB(gpiod_line_info_free)(info);
    return 0;
}

static enum gpiod_line_bias library_bias(enum puck_gpio_bias bias)
{
    switch (bias) {
    case PUCK_GPIO_AS_IS: return GPIOD_LINE_BIAS_AS_IS;
    case PUCK_GPIO_DISABLED: return GPIOD_LINE_BIAS_DISABLED;
    case PUCK_GPIO_PULL_UP: return GPIOD_LINE_BIAS_PULL_UP;
    case PUCK_GPIO_PULL_DOWN: return GPIOD_LINE_BIAS_PULL_DOWN;
    }
    return GPIOD_LINE_BIAS_AS_IS;
}

// NULL, with errno, when the request was refused.
static struct gpiod_line_request *request_line(
    struct gpiod_chip *chip, unsigned offset, bool output, enum puck_gpio_bias bias, bool active_low,
    const char *consumer)
{
    struct gpiod_line_settings *settings = LIB(gpiod_line_settings_new)();
    struct gpiod_line_config *lines = LIB(gpiod_line_config_new)();
    struct gpiod_request_config *config = LIB(gpiod_request_config_new)();
    struct gpiod_line_request *request = NULL;
    errno = ENOMEM;
    if (settings && lines && config) {
        if (output) {
            LIB(gpiod_line_settings_set_direction)(settings, GPIOD_LINE_DIRECTION_OUTPUT);
            LIB(gpiod_line_settings_set_output_value)(settings, GPIOD_LINE_VALUE_INACTIVE);
        } else {
            LIB(gpiod_line_settings_set_direction)(settings, GPIOD_LINE_DIRECTION_INPUT);
            LIB(gpiod_line_settings_set_edge_detection)(settings, GPIOD_LINE_EDGE_BOTH);
            LIB(gpiod_line_settings_set_bias)(settings, library_bias(bias));
        }
        LIB(gpiod_line_settings_set_active_low)(settings, active_low);
        LIB(gpiod_request_config_set_consumer)(config, consumer);
        if (LIB(gpiod_line_config_add_line_settings)(lines, &offset, 1, settings) == 0)
            request = LIB(gpiod_chip_request_lines)(chip, config, lines);
    }
    int error = errno;
    LIB(gpiod_request_config_free)(config);
    LIB(gpiod_line_config_free)(lines);
    LIB(gpiod_line_settings_free)(settings);
    errno = error;
    return request;
}

int puck_gpio_request(
    struct gpiod_chip *chip, unsigned offset, enum puck_gpio_bias bias, bool active_low, const char *consumer,
    struct puck_gpio_line **result)
{
    *result = NULL;
    struct gpiod_line_request *request = request_line(chip, offset, false, bias, active_low, consumer);
    if (!request)
        return failure();
    int error = stop_blocking(LIB(gpiod_line_request_get_fd)(request));
    struct gpiod_edge_event_buffer *events = error < 0 ? NULL : LIB(gpiod_edge_event_buffer_new)(PUCK_GPIO_EDGES);
    *result = events ? malloc(sizeof **result) : NULL;
    if (!*result) {
        LIB(gpiod_edge_event_buffer_free)(events);
        LIB(gpiod_line_request_release)(request);
        return error < 0 ? error : -ENOMEM;
    }
    **result = (struct puck_gpio_line){LIB(gpiod_line_request_get_fd)(request), offset, request, events};
    LIB(gpiod_chip_close)(chip);
    return 0;
}

int puck_gpio_request_output(
    struct gpiod_chip *chip, unsigned offset, bool active_low, const char *consumer, struct puck_gpio_line **result)
{
    struct gpiod_line_request *request = request_line(chip, offset, true, PUCK_GPIO_AS_IS, active_low, consumer);
    if (!request)
        return failure();
    *result = malloc(sizeof **result);
    if (!*result) {
        LIB(gpiod_line_request_release)(request);
        return -ENOMEM;
    }
    **result = (struct puck_gpio_line){-1, offset, request, NULL};
    LIB(gpiod_chip_close)(chip);
    return 0;
}

int puck_gpio_set(struct puck_gpio_line *line, bool active)
{
    enum gpiod_line_value value = active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE;
    return LIB_ONCE(gpiod_line_request_set_value)(line->request, line->offset, value) < 0 ? failure() : 0;
}

void puck_gpio_release(struct puck_gpio_line *line)
{
    LIB(gpiod_line_request_release)(line->request);
    if (line->events)
        LIB(gpiod_edge_event_buffer_free)(line->events);
    free(line);
}

int puck_gpio_level(struct puck_gpio_line *line)
{
    enum gpiod_line_value level = LIB(gpiod_line_request_get_value)(line->request, line->offset);
    return level == GPIOD_LINE_VALUE_ERROR ? failure() : level == GPIOD_LINE_VALUE_ACTIVE;
}

int puck_gpio_read(struct puck_gpio_line *line, struct puck_gpio_edge *edges)
{
    int count = LIB(gpiod_line_request_read_edge_events)(line->request, line->events, PUCK_GPIO_EDGES);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : failure();
    for (int i = 0; i < count; i++) {
        struct gpiod_edge_event *event = LIB(gpiod_edge_event_buffer_get_event)(line->events, (unsigned long)i);
        edges[i].is_active = LIB(gpiod_edge_event_get_event_type)(event) == GPIOD_EDGE_EVENT_RISING_EDGE;
        edges[i].nanoseconds = (int64_t)LIB(gpiod_edge_event_get_timestamp_ns)(event);
    }
    return count;
}

#endif

int puck_gpio_descriptor(const struct puck_gpio_line *line) { return line->descriptor; }
