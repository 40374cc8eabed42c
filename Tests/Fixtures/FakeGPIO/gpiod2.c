// libgpiod 2's interface, as far as puckd uses it.
#include <errno.h>
#include <gpiod.h>
#include <stdlib.h>
#include <string.h>

#include "chip.h"

struct gpiod_chip { struct fake_chip chip; };
struct gpiod_chip_info { struct fake_chip chip; };
struct gpiod_line_info { struct fake_facts facts; };
struct gpiod_line_settings { enum gpiod_line_bias bias; bool active_low, is_input, is_output, both_edges; };
struct gpiod_line_config { struct gpiod_line_settings settings; unsigned offset; size_t count; };
struct gpiod_request_config { char consumer[TEXT_BYTES]; };
struct gpiod_line_request { struct fake_line *line; unsigned offset; };
struct gpiod_edge_event { struct fake_edge edge; };
struct gpiod_edge_event_buffer { struct gpiod_edge_event events[64]; };

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

void gpiod_chip_close(struct gpiod_chip *chip) { free(chip); }

struct gpiod_chip_info *gpiod_chip_get_info(struct gpiod_chip *chip)
{
    struct gpiod_chip_info *info = calloc(1, sizeof *info);
    info->chip = chip->chip;
    return info;
}

void gpiod_chip_info_free(struct gpiod_chip_info *info) { free(info); }
const char *gpiod_chip_info_get_label(struct gpiod_chip_info *info) { return info->chip.label; }
size_t gpiod_chip_info_get_num_lines(struct gpiod_chip_info *info) { return info->chip.line_count; }

struct gpiod_line_info *gpiod_chip_get_line_info(struct gpiod_chip *chip, unsigned int offset)
{
    struct gpiod_line_info *info = calloc(1, sizeof *info);
    if (result(fake_chip_facts(&chip->chip, offset, &info->facts)) == 0)
        return info;
    free(info);
    return NULL;
}

void gpiod_line_info_free(struct gpiod_line_info *info) { free(info); }

const char *gpiod_line_info_get_name(struct gpiod_line_info *info)
{
    return info->facts.name[0] ? info->facts.name : NULL;
}

const char *gpiod_line_info_get_consumer(struct gpiod_line_info *info)
{
    return info->facts.consumer[0] ? info->facts.consumer : NULL;
}

bool gpiod_line_info_is_used(struct gpiod_line_info *info) { return info->facts.is_used; }

struct gpiod_line_settings *gpiod_line_settings_new(void)
{
    struct gpiod_line_settings *settings = calloc(1, sizeof *settings);
    settings->bias = GPIOD_LINE_BIAS_AS_IS;
    return settings;
}

void gpiod_line_settings_free(struct gpiod_line_settings *settings) { free(settings); }

int gpiod_line_settings_set_direction(struct gpiod_line_settings *settings, enum gpiod_line_direction direction)
{
    settings->is_input = direction == GPIOD_LINE_DIRECTION_INPUT;
    settings->is_output = direction == GPIOD_LINE_DIRECTION_OUTPUT;
    return 0;
}

int gpiod_line_settings_set_edge_detection(struct gpiod_line_settings *settings, enum gpiod_line_edge edge)
{
    settings->both_edges = edge == GPIOD_LINE_EDGE_BOTH;
    return 0;
}

int gpiod_line_settings_set_bias(struct gpiod_line_settings *settings, enum gpiod_line_bias bias)
{
    settings->bias = bias;
    return 0;
}

int gpiod_line_settings_set_output_value(struct gpiod_line_settings *settings, enum gpiod_line_value value)
{
    (void)settings;
    return value == GPIOD_LINE_VALUE_INACTIVE ? 0 : result(-EINVAL);
}

void gpiod_line_settings_set_active_low(struct gpiod_line_settings *settings, bool active_low)
{
    settings->active_low = active_low;
}

struct gpiod_line_config *gpiod_line_config_new(void) { return calloc(1, sizeof(struct gpiod_line_config)); }
void gpiod_line_config_free(struct gpiod_line_config *config) { free(config); }

int gpiod_line_config_add_line_settings(
    struct gpiod_line_config *config, const unsigned int *offsets, size_t count, struct gpiod_line_settings *settings)
{
    config->settings = *settings;
    config->offset = offsets[0];
    config->count += count;
    return 0;
}

struct gpiod_request_config *gpiod_request_config_new(void) { return calloc(1, sizeof(struct gpiod_request_config)); }
void gpiod_request_config_free(struct gpiod_request_config *config) { free(config); }

void gpiod_request_config_set_consumer(struct gpiod_request_config *config, const char *consumer)
{
    strncpy(config->consumer, consumer, sizeof config->consumer - 1);
}

struct gpiod_line_request *gpiod_chip_request_lines(
    struct gpiod_chip *chip, struct gpiod_request_config *config, struct gpiod_line_config *lines)
{
    const char *bias = lines->settings.bias == GPIOD_LINE_BIAS_PULL_UP     ? "pull-up"
                       : lines->settings.bias == GPIOD_LINE_BIAS_PULL_DOWN ? "pull-down"
                       : lines->settings.bias == GPIOD_LINE_BIAS_DISABLED  ? "disabled"
                                                                           : "as-is";
    struct fake_request wanted = {lines->offset, config->consumer, bias, lines->settings.active_low,
                                  lines->settings.is_output};
    struct gpiod_line_request *request = calloc(1, sizeof *request);
    request->offset = lines->offset;
    int error = fake_line_take(&request->line, &chip->chip, &wanted);
    // One input line with both edges, or one output, is all that is imitated.
    bool is_known = lines->settings.is_output || (lines->settings.is_input && lines->settings.both_edges);
    if (error == 0 && lines->count == 1 && is_known)
        return request;
    if (error == 0)
        fake_line_release(request->line);
    free(request);
    result(error < 0 ? error : -EINVAL);
    return NULL;
}

void gpiod_line_request_release(struct gpiod_line_request *request)
{
    fake_line_release(request->line);
    free(request);
}

int gpiod_line_request_get_fd(struct gpiod_line_request *request) { return fake_line_descriptor(request->line); }

enum gpiod_line_value gpiod_line_request_get_value(struct gpiod_line_request *request, unsigned int offset)
{
    return (enum gpiod_line_value)result(offset == request->offset ? fake_line_level(request->line) : -EINVAL);
}

int gpiod_line_request_set_value(
    struct gpiod_line_request *request, unsigned int offset, enum gpiod_line_value value)
{
    return result(offset == request->offset ? fake_line_set(request->line, value == GPIOD_LINE_VALUE_ACTIVE) : -EINVAL);
}

struct gpiod_edge_event_buffer *gpiod_edge_event_buffer_new(size_t capacity)
{
    (void)capacity;
    return calloc(1, sizeof(struct gpiod_edge_event_buffer));
}

void gpiod_edge_event_buffer_free(struct gpiod_edge_event_buffer *buffer) { free(buffer); }

int gpiod_line_request_read_edge_events(
    struct gpiod_line_request *request, struct gpiod_edge_event_buffer *buffer, size_t capacity)
{
    struct fake_edge edges[64];
    int count = fake_line_read(request->line, edges, capacity < 64 ? (int)capacity : 64);
    for (int i = 0; i < count; i++)
        buffer->events[i].edge = edges[i];
    return result(count);
}

struct gpiod_edge_event *gpiod_edge_event_buffer_get_event(struct gpiod_edge_event_buffer *buffer, unsigned long index)
{
    return &buffer->events[index];
}

enum gpiod_edge_event_type gpiod_edge_event_get_event_type(struct gpiod_edge_event *event)
{
    return event->edge.rising ? GPIOD_EDGE_EVENT_RISING_EDGE : GPIOD_EDGE_EVENT_FALLING_EDGE;
}

uint64_t gpiod_edge_event_get_timestamp_ns(struct gpiod_edge_event *event)
{
    return (uint64_t)event->edge.nanoseconds;
}
