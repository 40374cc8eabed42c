// libasound reports the reasons of its errors through a variadic callback, which Swift cannot write, and by default
// prints them to stderr, where a daemon's log has no use for them. This shim catches them instead.
#ifndef PUCK_CALSASHIM_H
#define PUCK_CALSASHIM_H

// Installs the catcher, for the whole process. Call it before the first use of libasound; again does no harm.
void puck_alsa_catch_messages(void);

// Forgets what this thread has caught.
void puck_alsa_forget_message(void);

// The first message that this thread has caught since it forgot, usually the cause of those after it; "" for none.
// At most 255 bytes. Valid until this thread's next call of libasound.
const char *puck_alsa_message(void);

#endif
