#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const char *id, const char *wanted)
{
    SNDERR("puckfake: '%s' must be %s", id, wanted);
    return -EINVAL;
}

static int read_path(char **path, snd_config_t *node, const char *id)
{
    const char *text;
    if (snd_config_get_string(node, &text) < 0 || !*text)
        return refuse(id, "a path");
    free(*path);
    *path = strdup(text);
    return *path ? 0 : -ENOMEM;
}

// A number, in quotes or not: asound.conf's numbers with a sign or an expansion come as strings.
static int read_number(int64_t *value, snd_config_t *node, const char *id)
{
    long number;
    long long large;
    const char *text;
    char *end;
    if (snd_config_get_integer(node, &number) >= 0) {
        *value = number;
        return 0;
    }
    if (snd_config_get_integer64(node, &large) >= 0) {
        *value = large;
        return 0;
    }
    if (snd_config_get_string(node, &text) < 0)
        return refuse(id, "a number");
    *value = strtoll(text, &end, 10);
    return *text && !*end ? 0 : refuse(id, "a number");
}

static int read_item(unsigned *item, snd_config_t *node, const char *id)
{
    const char *text;
    int64_t number;
    if (strcmp(id, "formats") == 0) {
        int format = snd_config_get_string(node, &text) < 0 ? -1 : (int)snd_pcm_format_value(text);
        if (format < 0 || snd_pcm_format_physical_width(format) < 16)
            return refuse(id, "a list of sample formats such as [ S16_LE S32_LE ]");
        *item = (unsigned)format;
        return 0;
    }
    if (read_number(&number, node, id) < 0 || number < 1 || number > 384000)
        return refuse(id, "a positive number or a list of them");
    *item = (unsigned)number;
    return 0;
}

// One value or a compound of them; at most 16, which is more than hardware offers.
static int read_list(unsigned *list, unsigned *count, snd_config_t *node, const char *id)
{
    snd_config_iterator_t i, next;
    *count = 0;
    if (snd_config_get_type(node) != SND_CONFIG_TYPE_COMPOUND) {
        *count = 1;
        return read_item(list, node, id);
    }
    snd_config_for_each(i, next, node) {
        if (*count == 16)
            return refuse(id, "a list of at most 16 values");
        int error = read_item(list + (*count)++, snd_config_iterator_entry(i), id);
        if (error < 0)
            return error;
    }
    return 0;
}

static int read_one(struct settings *settings, snd_config_t *node, const char *id)
{
    const char *text;
    if (strcmp(id, "comment") == 0 || strcmp(id, "type") == 0 || strcmp(id, "hint") == 0)
        return 0;
    if (strcmp(id, "infile") == 0)
        return read_path(&settings->infile, node, id);
    if (strcmp(id, "outfile") == 0)
        return read_path(&settings->outfile, node, id);
    if (strcmp(id, "control") == 0)
        return read_path(&settings->control, node, id);
    if (strcmp(id, "start_file") == 0)
        return read_path(&settings->start_file, node, id);
    if (strcmp(id, "start_at") == 0)
        return read_number(&settings->start_at, node, id);
    if (strcmp(id, "rates") == 0)
        return read_list(settings->rates, &settings->rate_count, node, id);
    if (strcmp(id, "channels") == 0)
        return read_list(settings->channels, &settings->channel_count, node, id);
    if (strcmp(id, "formats") == 0)
        return read_list(settings->formats, &settings->format_count, node, id);
    if (strcmp(id, "loop") == 0) {
        int value = snd_config_get_bool(node);
        settings->loop = value > 0;
        return value < 0 ? refuse(id, "yes or no") : 0;
    }
    if (strcmp(id, "speed") == 0) {
        if (snd_config_get_string(node, &text) >= 0 && strcmp(text, "free") == 0) {
            settings->speed = SPEED_FREE;
            return 0;
        }
        int error = read_number(&settings->speed, node, id);
        return error < 0 || settings->speed < 1 || settings->speed > 1000 ? refuse(id, "1 to 1000, or free") : 0;
    }
    if (strcmp(id, "slowness") == 0) {
        int error = read_number(&settings->slowness, node, id);
        return error < 0 || settings->slowness < 1 || settings->slowness > 100 ? refuse(id, "1 to 100") : 0;
    }
    SNDERR("puckfake: unknown setting '%s'; README.md lists them", id);
    return -EINVAL;
}

int settings_read(struct settings *settings, snd_config_t *config)
{
    snd_config_iterator_t i, next;
    settings->start_at = -1;
    settings->speed = settings->slowness = 1;
    snd_config_for_each(i, next, config) {
        snd_config_t *node = snd_config_iterator_entry(i);
        const char *id;
        if (snd_config_get_id(node, &id) < 0)
            continue;
        int error = read_one(settings, node, id);
        if (error < 0)
            return error;
    }
    return 0;
}

void settings_free(struct settings *settings)
{
    free(settings->infile);
    free(settings->outfile);
    free(settings->control);
    free(settings->start_file);
}
