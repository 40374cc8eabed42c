// The least that the job can cost: one thread that reads 20 ms from ALSA, encodes it with libopus and sends it by UDP.
// No ring, no TLS, no wake word, no conversation. Everything else is measured against it.
//
// usage: floor DEVICE PORT [BUFFER_MS]      ends with SIGTERM
#include "encoding.h"

#include <alsa/asoundlib.h>
#include <arpa/inet.h>
#include <opus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void check(int result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "floor: %s: %s\n", what, snd_strerror(result));
    exit(1);
}

static snd_pcm_t *open_microphone(const char *device, snd_pcm_uframes_t buffer)
{
    snd_pcm_t *pcm;
    snd_pcm_hw_params_t *hardware;
    snd_pcm_sw_params_t *software;
    snd_pcm_uframes_t period = PERIOD;
    snd_pcm_hw_params_alloca(&hardware);
    snd_pcm_sw_params_alloca(&software);
    check(snd_pcm_open(&pcm, device, SND_PCM_STREAM_CAPTURE, 0), "open");
    check(snd_pcm_hw_params_any(pcm, hardware), "parameters");
    check(snd_pcm_hw_params_set_access(pcm, hardware, SND_PCM_ACCESS_RW_INTERLEAVED), "access");
    check(snd_pcm_hw_params_set_format(pcm, hardware, SND_PCM_FORMAT_S16_LE), "format");
    check(snd_pcm_hw_params_set_channels(pcm, hardware, 1), "channels");
    check(snd_pcm_hw_params_set_rate(pcm, hardware, RATE, 0), "rate");
    check(snd_pcm_hw_params_set_period_size_near(pcm, hardware, &period, NULL), "period");
    check(snd_pcm_hw_params_set_buffer_size_near(pcm, hardware, &buffer), "buffer");
    check(snd_pcm_hw_params(pcm, hardware), "set parameters");
    check(snd_pcm_sw_params_current(pcm, software), "software parameters");
    check(snd_pcm_sw_params_set_avail_min(pcm, software, PERIOD), "avail_min");
    check(snd_pcm_sw_params(pcm, software), "set software parameters");
    return pcm;
}

static OpusEncoder *make_encoder(void)
{
    int error;
    OpusEncoder *encoder = opus_encoder_create(RATE, 1, OPUS_APPLICATION_VOIP, &error);
    if (error != OPUS_OK)
        exit(1);
    opus_encoder_ctl(encoder, OPUS_SET_BITRATE(BITS_PER_SECOND));
    opus_encoder_ctl(encoder, OPUS_SET_VBR(1));
    opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(COMPLEXITY));
    return encoder;
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fprintf(stderr, "usage: floor DEVICE PORT [BUFFER_MS]\n");
        return 64;
    }
    int buffer_milliseconds = count > 3 ? atoi(arguments[3]) : 200;
    snd_pcm_t *pcm = open_microphone(arguments[1], (snd_pcm_uframes_t)(RATE / 1000 * buffer_milliseconds));
    OpusEncoder *encoder = make_encoder();
    int to = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (to < 0 || connect(to, (struct sockaddr *)&address, sizeof address) < 0)
        return 1;
    short samples[PERIOD];
    unsigned char packet[LONGEST_PACKET];
    check(snd_pcm_start(pcm), "start");
    for (;;) {
        snd_pcm_wait(pcm, -1);  // for a whole period: frames taken early would make the next wake-up late
        snd_pcm_sframes_t frames = snd_pcm_readi(pcm, samples, PERIOD);
        if (frames != PERIOD) {
            check(frames < 0 ? (int)frames : -EPIPE, "the microphone overran: this machine is too busy to measure on");
        }
        int bytes = opus_encode(encoder, samples, PERIOD, packet, sizeof packet);
        if (bytes < 0)
            return 1;
        send(to, packet, (size_t)bytes, 0);  // nobody there is nobody's fault
    }
}
