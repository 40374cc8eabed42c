// opus_encoder_ctl and opus_decoder_ctl are variadic, which Swift cannot call. Each function here is one request.
#ifndef PUCK_COPUSSHIM_H
#define PUCK_COPUSSHIM_H

#include <opus/opus.h>

static inline int puck_opus_encoder_set_bitrate(OpusEncoder *e, int bits) { return opus_encoder_ctl(e, OPUS_SET_BITRATE(bits)); }
static inline int puck_opus_encoder_set_vbr(OpusEncoder *e, int on) { return opus_encoder_ctl(e, OPUS_SET_VBR(on)); }
static inline int puck_opus_encoder_set_complexity(OpusEncoder *e, int c) { return opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(c)); }
static inline int puck_opus_encoder_set_fec(OpusEncoder *e, int on) { return opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(on)); }
static inline int puck_opus_encoder_set_loss(OpusEncoder *e, int percent) { return opus_encoder_ctl(e, OPUS_SET_PACKET_LOSS_PERC(percent)); }
static inline int puck_opus_encoder_set_dtx(OpusEncoder *e, int on) { return opus_encoder_ctl(e, OPUS_SET_DTX(on)); }
static inline int puck_opus_encoder_reset(OpusEncoder *e) { return opus_encoder_ctl(e, OPUS_RESET_STATE); }
static inline int puck_opus_encoder_lookahead(OpusEncoder *e, int *samples) { return opus_encoder_ctl(e, OPUS_GET_LOOKAHEAD(samples)); }
static inline int puck_opus_decoder_reset(OpusDecoder *d) { return opus_decoder_ctl(d, OPUS_RESET_STATE); }

#endif
