#include "CALSAShim.h"

#include <alsa/asoundlib.h>
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char message[256];

static void catch_message(const char *file, int line, const char *function, int error, const char *format, ...)
{
    (void)file, (void)line, (void)function;
    if (message[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (error && length >= 0 && (size_t)length < sizeof message)
        snprintf(message + length, sizeof message - (size_t)length, ": %s", snd_strerror(error));
}

void puck_alsa_catch_messages(void) { snd_lib_error_set_handler(catch_message); }
void puck_alsa_forget_message(void) { message[0] = 0; }
const char *puck_alsa_message(void) { return message; }
