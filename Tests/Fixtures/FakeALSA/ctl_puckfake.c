// A sound card's controls for libasound that exist only as files: an external control plugin. README.md says how to use
// it.
#include <alsa/asoundlib.h>
#include <alsa/control_external.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { MOST = 64, CHANNELS = 2, NAME_BYTES = 44, ITEMS_BYTES = 256, LINE_BYTES = 512 };

struct control {
    char name[NAME_BYTES];
    int type;
    unsigned channels;
    long least, greatest, value[CHANNELS];
    // Lines of the log about it, and those that an event, or the opening, has told of: a value that is changed and
    // changed back is two events, as a driver's are.
    long lines, told;
    // Hundredths of a decibel of the least value and of a step; step 0: no scale.
    long decibels, step;
    bool mutes;  // the least value is silence
    char items[ITEMS_BYTES];
    unsigned tlv[4];
};

struct card {
    snd_ctl_ext_t ext;
    struct control controls[MOST];
    unsigned count;
    char *log;
    int changes;  // inotify: the log grew
};

static struct card *card_of(snd_ctl_ext_t *ext) { return ext->private_data; }
static struct control *control_of(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key) { return card_of(ext)->controls + key; }

static int elem_count(snd_ctl_ext_t *ext) { return (int)card_of(ext)->count; }

static int elem_list(snd_ctl_ext_t *ext, unsigned offset, snd_ctl_elem_id_t *id)
{
    snd_ctl_elem_id_set_interface(id, SND_CTL_ELEM_IFACE_MIXER);
    snd_ctl_elem_id_set_name(id, card_of(ext)->controls[offset].name);
    return 0;
}

static snd_ctl_ext_key_t find_elem(snd_ctl_ext_t *ext, const snd_ctl_elem_id_t *id)
{
    struct card *card = card_of(ext);
    unsigned number = snd_ctl_elem_id_get_numid(id);
    for (unsigned i = 0; i < card->count; i++)
        if (number ? number == i + 1 : strcmp(card->controls[i].name, snd_ctl_elem_id_get_name(id)) == 0)
            return i;
    return SND_CTL_EXT_KEY_NOT_FOUND;
}

static int get_attribute(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, int *type, unsigned *access, unsigned *count)
{
    struct control *control = control_of(ext, key);
    *type = control->type;
    *count = control->channels;
    *access = SND_CTL_EXT_ACCESS_READWRITE;
    if (control->step) {
        // SNDRV_CTL_TLVT_DB_SCALE: type, bytes, least, step with a bit for silence.
        control->tlv[0] = SND_CTL_TLVT_DB_SCALE;
        control->tlv[1] = 2 * sizeof(unsigned);
        control->tlv[2] = (unsigned)control->decibels;
        control->tlv[3] = (unsigned)control->step | (control->mutes ? 0x10000u : 0);
        ext->tlv.p = control->tlv;
        *access |= SND_CTL_EXT_ACCESS_TLV_READ;
    }
    return 0;
}

static int get_integer_info(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *least, long *greatest, long *step)
{
    *least = control_of(ext, key)->least;
    *greatest = control_of(ext, key)->greatest;
    *step = 1;
    return 0;
}

// The words of an enumeration lie between "/"; returns how many there are and copies the one that is asked for.
static unsigned item(const struct control *control, unsigned wanted, char *name, size_t size)
{
    unsigned count = 0;
    for (const char *at = control->items; *at; count++) {
        size_t length = strcspn(at, "/");
        if (count == wanted && name)
            snprintf(name, size, "%.*s", (int)length, at);
        at += length + (at[length] != 0);
    }
    return count;
}

static int get_enumerated_info(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, unsigned *items)
{
    *items = item(control_of(ext, key), 0, NULL, 0);
    return 0;
}

static int get_enumerated_name(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, unsigned wanted, char *name, size_t size)
{
    return wanted < item(control_of(ext, key), wanted, name, size) ? 0 : -EINVAL;
}

// What others have written since: the last line about a control counts.
static void replay(struct card *card)
{
    char line[LINE_BYTES];
    FILE *log = fopen(card->log, "re");
    for (unsigned i = 0; i < card->count; i++)
        card->controls[i].lines = 0;
    while (log && fgets(line, sizeof line, log)) {
        char *values = strstr(line, " = ");
        if (!values || !strchr(line, '\n'))
            continue;
        *values = 0;
        for (unsigned i = 0; i < card->count; i++) {
            struct control *control = card->controls + i;
            long value[CHANNELS] = {0, 0};
            if (strcmp(control->name, line) == 0 &&
                sscanf(values + 3, "%ld %ld", value, value + 1) >= (int)control->channels) {
                memcpy(control->value, value, sizeof value);
                control->lines++;
            }
        }
    }
    if (log)
        fclose(log);
}

static int read_integer(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *value)
{
    replay(card_of(ext));
    memcpy(value, control_of(ext, key)->value, control_of(ext, key)->channels * sizeof *value);
    return 0;
}

static int read_enumerated(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, unsigned *items)
{
    replay(card_of(ext));
    for (unsigned i = 0; i < control_of(ext, key)->channels; i++)
        items[i] = (unsigned)control_of(ext, key)->value[i];
    return 0;
}

// Takes a value as a driver does: what lies outside is refused. Every write is a line of the log.
static int set(snd_ctl_ext_t *ext, struct control *control, const long *value)
{
    for (unsigned i = 0; i < control->channels; i++)
        if (value[i] < control->least || value[i] > control->greatest)
            return -EINVAL;
    memcpy(control->value, value, control->channels * sizeof *value);
    FILE *log = fopen(card_of(ext)->log, "ae");
    if (!log)
        return -errno;
    char line[LINE_BYTES];
    int length = snprintf(line, sizeof line, "%s = %ld", control->name, value[0]);
    if (control->channels > 1)
        length += snprintf(line + length, sizeof line - (size_t)length, " %ld", value[1]);
    fprintf(log, "%s\n", line);
    return fclose(log) ? -errno : 1;
}

static int write_integer(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *value)
{
    return set(ext, control_of(ext, key), value);
}

static int write_enumerated(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, unsigned *items)
{
    long value[CHANNELS] = {(long)items[0], (long)items[1]};
    return set(ext, control_of(ext, key), value);
}

static int read_event(snd_ctl_ext_t *ext, snd_ctl_elem_id_t *id, unsigned *mask)
{
    struct card *card = card_of(ext);
    char events[4096];
    replay(card);
    for (unsigned i = 0; i < card->count; i++) {
        struct control *control = card->controls + i;
        if (control->told == control->lines)
            continue;
        control->told = control->lines;
        elem_list(ext, i, id);
        *mask = SND_CTL_EVENT_MASK_VALUE;
        return 1;
    }
    // Looked at again after the last notice: what came in between is not lost.
    return read(card->changes, events, sizeof events) > 0 ? read_event(ext, id, mask) : -EAGAIN;
}

static void card_free(struct card *card)
{
    if (card->changes >= 0)
        close(card->changes);
    free(card->log);
    free(card);
}

static void on_close(snd_ctl_ext_t *ext) { card_free(card_of(ext)); }

static const snd_ctl_ext_callback_t callbacks = {
    .close = on_close,
    .elem_count = elem_count,
    .elem_list = elem_list,
    .find_elem = find_elem,
    .get_attribute = get_attribute,
    .get_integer_info = get_integer_info,
    .get_enumerated_info = get_enumerated_info,
    .get_enumerated_name = get_enumerated_name,
    .read_integer = read_integer,
    .read_enumerated = read_enumerated,
    .write_integer = write_integer,
    .write_enumerated = write_enumerated,
    .read_event = read_event,
};

// One line of the definition; README.md has the forms.
static bool read_control(struct control *control, char *line)
{
    char *name = strstr(line, ": "), kind[16], mutes[8] = "";
    if (!name)
        return false;
    *name = 0;
    snprintf(control->name, sizeof control->name, "%s", name + 2);
    control->greatest = 1;
    if (sscanf(line, "integer %u %ld %ld %ld %ld %7s", &control->channels, &control->least, &control->greatest,
               &control->decibels, &control->step, mutes) >= 3) {
        control->type = SND_CTL_ELEM_TYPE_INTEGER;
        control->mutes = strcmp(mutes, "mutes") == 0;
    } else if (sscanf(line, "boolean %u", &control->channels) == 1) {
        control->type = SND_CTL_ELEM_TYPE_BOOLEAN;
    } else if (sscanf(line, "%15s %255[^\n]", kind, control->items) == 2 && strcmp(kind, "words") == 0) {
        control->type = SND_CTL_ELEM_TYPE_ENUMERATED;
        control->channels = 1;
        control->greatest = (long)item(control, 0, NULL, 0) - 1;
    } else {
        return false;
    }
    for (unsigned i = 0; i < CHANNELS; i++)
        control->value[i] = control->least;
    return control->channels >= 1 && control->channels <= CHANNELS;
}

static int read_card(struct card *card, const char *path)
{
    char line[LINE_BYTES];
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    int error = 0;
    while (error == 0 && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (!*line || *line == '#')
            continue;
        if (card->count == MOST || !read_control(card->controls + card->count++, line)) {
            SNDERR("puckfake: a control cannot be read: %s", line);
            error = -EINVAL;
        }
    }
    fclose(file);
    return error;
}

static int read_settings(struct card *card, snd_config_t *conf)
{
    const char *path = NULL;
    snd_config_t *node;
    if (snd_config_search(conf, "file", &node) < 0 || snd_config_get_string(node, &path) < 0) {
        SNDERR("puckfake: 'file' must be the path of the card's controls");
        return -EINVAL;
    }
    if (asprintf(&card->log, "%s.log", path) < 0)
        return -ENOMEM;
    int error = read_card(card, path);
    if (error < 0)
        return error;
    FILE *log = fopen(card->log, "ae");
    if (!log || fclose(log) != 0)
        return -errno;
    card->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (card->changes < 0 || inotify_add_watch(card->changes, card->log, IN_MODIFY) < 0)
        return -errno;
    replay(card);
    for (unsigned i = 0; i < card->count; i++)
        card->controls[i].told = card->controls[i].lines;
    return 0;
}

__attribute__((visibility("default"))) SND_CTL_PLUGIN_DEFINE_FUNC(puckfake)
{
    (void)root;
    struct card *card = calloc(1, sizeof *card);
    if (!card)
        return -ENOMEM;
    card->changes = -1;
    int error = read_settings(card, conf);
    if (error >= 0) {
        card->ext.version = SND_CTL_EXT_VERSION;
        card->ext.poll_fd = card->changes;
        strcpy(card->ext.id, "puckfake");
        strcpy(card->ext.driver, "puckfake");
        strcpy(card->ext.name, "Puck's fake sound card");
        strcpy(card->ext.longname, "Puck's fake sound card");
        strcpy(card->ext.mixername, "Puck's fake mixer");
        card->ext.callback = &callbacks;
        card->ext.private_data = card;
        error = snd_ctl_ext_create(&card->ext, name, mode);
    }
    if (error < 0) {
        card_free(card);
        return error;
    }
    *handlep = card->ext.handle;
    return 0;
}

__attribute__((visibility("default"))) SND_CTL_PLUGIN_SYMBOL(puckfake);
