// Many pucks at once, as cheap as they can be: the load for puckhub and for the echo server beside it.
// usage: load PORT COUNT RATE KIND TOKENS      each of COUNT pucks sends RATE messages a second; TOKENS: a file with
//        load -p …                             "NAME TOKEN" in each line; -p: without TLS
//
//   idle    says hello, answers pings, and no more
//   pcm     one conversation each: a wake, a grant, then messages with 20 ms of PCM16 (640 bytes)
//   opus    the same in Opus (24 kbit/s)
//   ping    pings in JSON, which the hub answers with pongs
//   echo-pcm, echo-opus, echo-ping   the same messages without any greeting, for the echo server
//
// Who loses the connection comes back after 1, 2, 4, 8, 16, 30, 30 … s ± 10 %, like puckd. Each puck has a loopback
// address of its own, since the hub shares its handshakes out by address. Messages of one connection never lie behind
// each other: who is late leaves one out.
//
// standard output: "served MS" whenever all are served, MS milliseconds (CLOCK_MONOTONIC) after the last time that none
// was. standard input: "send" begins to send, "count" answers "count SENT HANDLED ATTEMPTS": HANDLED
// are the messages that the other side has shown to have dealt with, by sending them back or by a pong or up_ack;
// ATTEMPTS are those to connect while somebody listened, since how long a hub is away is not of its making.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <opus/opus.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 4096, OPUS_PACKETS = 50, SAMPLES = 320 };
enum state { WAITING, CONNECTING, HANDSHAKING, UPGRADING, GREETING, SERVED };

struct puck {
    enum state state;
    int socket, attempt;
    int asked, granted;  // whether it said that it was woken, and whether it may speak
    uint16_t sequence;
    SSL *ssl;
    int64_t due, servedAt;  // due: of the next attempt while WAITING, of the next message while SERVED
    size_t filled;
    char name[33], token[65];
    unsigned char input[2 * LARGEST];
};

static struct puck *pucks;
static int count, served, port, epoll, isSending, isTLS = 1;
static int64_t downSince, period;
static uint64_t sent, handled, attempts;
static const char *kind;
static int isEcho;
static SSL_CTX *tls;
static unsigned char packets[OPUS_PACKETS][1276];
static int packetBytes[OPUS_PACKETS];

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int is(const char *what) { return !strcmp(kind + (isEcho ? 5 : 0), what); }

static void lose(struct puck *p) {
    if (p->state == SERVED && served-- == count) downSince = now();
    if (p->ssl) SSL_free(p->ssl);
    p->ssl = NULL;
    if (p->socket >= 0) close(p->socket);
    p->socket = -1;
    if (p->state == SERVED && now() - p->servedAt > 10000000000LL) p->attempt = 0;
    int seconds = p->attempt >= 5 ? 30 : 1 << p->attempt;
    p->attempt++;
    p->due = now() + (int64_t)(seconds * (0.9 + 0.2 * rand() / RAND_MAX) * 1e9);
    p->state = WAITING;
    p->filled = 0;
    p->asked = p->granted = 0;
}

// What a call of OpenSSL means that did not succeed: 0 try again, -1 broken.
static int trouble(struct puck *p, int result) {
    int error = SSL_get_error(p->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static int put(struct puck *p, const void *bytes, int length) {
    if (p->ssl) return SSL_write(p->ssl, bytes, length) == length ? 0 : -1;
    return send(p->socket, bytes, length, MSG_NOSIGNAL) == length ? 0 : -1;
}

// One binary message in a frame masked with zeros.
static int frame(struct puck *p, int opcode, const unsigned char *payload, int length) {
    unsigned char bytes[8 + LARGEST];
    int n = 0;
    bytes[n++] = 0x80 | opcode;
    if (length < 126) {
        bytes[n++] = 0x80 | length;
    } else {
        bytes[n++] = 0x80 | 126;
        bytes[n++] = length >> 8;
        bytes[n++] = length;
    }
    memset(bytes + n, 0, 4);
    memcpy(bytes + n + 4, payload, length);
    return put(p, bytes, n + 4 + length);
}

static int message(struct puck *p, int type, int sequence, const void *payload, int length) {
    unsigned char bytes[LARGEST];
    uint32_t at = now() / 1000000;
    bytes[0] = type;
    bytes[1] = sequence, bytes[2] = sequence >> 8;
    for (int i = 0; i < 4; i++) bytes[3 + i] = at >> (8 * i);
    bytes[7] = length, bytes[8] = length >> 8;
    memcpy(bytes + 9, payload, length);
    return frame(p, 2, bytes, 9 + length);
}

static int say(struct puck *p, const char *json) { return message(p, 0xC1, 0, json, strlen(json)); }

static void serve(struct puck *p) {
    p->state = SERVED;
    p->servedAt = now();
    // Spread over the period, so that no two messages come together.
    p->due = now() / period * period + period + (p - pucks) * period / count;
    if (++served == count) {
        printf("served %.1f\n", (now() - downSince) / 1e6);
        fflush(stdout);
    }
}

static int upgraded(struct puck *p) {
    if (isEcho) return serve(p), 0;
    p->state = GREETING;
    char hello[512];
    snprintf(
        hello, sizeof hello,
        "{\"op\":\"hello\",\"proto\":1,\"puck_id\":\"%s\",\"room\":\"%s\",\"group\":\"%s\",\"version\":\"load\","
        "\"codecs\":[\"opus\",\"pcm16\"],\"phrases\":[\"puck\"]}", p->name, p->name, p->name);
    return say(p, hello);
}

static int heard(struct puck *p, const unsigned char *bytes, int length) {
    handled += isEcho;
    if (isEcho || length < 9 || bytes[0] != 0xC1) return bytes[0] == 0xFF && !isEcho ? -1 : 0;
    char json[LARGEST];
    memcpy(json, bytes + 9, length - 9);
    json[length - 9] = 0;
    if (strstr(json, "\"op\":\"welcome\"")) {
        serve(p);
        return 0;
    }
    if (strstr(json, "\"op\":\"arb_grant\"")) {
        p->granted = 1;
        p->sequence = 0;
        return 0;
    }
    if (strstr(json, "\"op\":\"pong\"")) handled++;
    if (strstr(json, "\"op\":\"up_ack\"")) handled += 10;
    const char *t0 = strstr(json, "\"op\":\"ping\"") ? strstr(json, "\"t0\":") : NULL;
    if (!t0) return 0;
    double t = atof(t0 + 5);
    char pong[200];
    snprintf(pong, sizeof pong, "{\"op\":\"pong\",\"t0\":%.17g,\"t1\":%.3f,\"t2\":%.3f}", t, t, t);
    return say(p, pong);
}

// Takes whole frames off the input.
static int digest(struct puck *p) {
    if (p->state == UPGRADING) {
        unsigned char *end = memmem(p->input, p->filled, "\r\n\r\n", 4);
        if (!end) return 0;
        if (p->filled < 12 || memcmp(p->input, "HTTP/1.1 101", 12)) return -1;
        size_t head = end + 4 - p->input;
        memmove(p->input, end + 4, p->filled - head);
        p->filled -= head;
        if (upgraded(p) < 0) return -1;
    }
    size_t at = 0;
    while (p->filled - at >= 2) {
        const unsigned char *b = p->input + at;
        size_t head = 2, length = b[1] & 127;
        if (length == 126) {
            if (p->filled - at < 4) break;
            length = b[2] << 8 | b[3];
            head = 4;
        } else if (length == 127) {
            return -1;
        }
        if (p->filled - at < head + length) break;
        if ((b[0] & 15) == 8 || heard(p, b + head, length) < 0) return -1;
        at += head + length;
    }
    memmove(p->input, p->input + at, p->filled - at);
    p->filled -= at;
    return p->filled < sizeof p->input ? 0 : -1;
}

static void dial(struct puck *p) {
    attempts++;
    p->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1, i = p - pucks;
    setsockopt(p->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010001 + (i / 200 << 8) + i % 200)};
    struct sockaddr_in hub = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p};
    p->state = CONNECTING;
    if (bind(p->socket, (void *)&own, sizeof own) || epoll_ctl(epoll, EPOLL_CTL_ADD, p->socket, &event)) {
        perror("load: socket");
        exit(1);
    }
    if (!connect(p->socket, (void *)&hub, sizeof hub) || errno == EINPROGRESS) return;
    if (errno == ECONNREFUSED) attempts--;
    lose(p);
}

static int ask(struct puck *p) {
    char request[512];
    int n = snprintf(
        request, sizeof request,
        "GET /puck HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: puck.v1\r\nAuthorization: Bearer %s\r\n\r\n", p->token);
    p->state = UPGRADING;
    return put(p, request, n);
}

// Everything that the socket is ready for.
static int advance(struct puck *p, uint32_t events) {
    if (p->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(p->socket, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error == ECONNREFUSED) attempts--;
        if (events & (EPOLLERR | EPOLLHUP) || error) return -1;
        if (!(events & EPOLLOUT)) return 0;
        if (isTLS) {
            p->ssl = SSL_new(tls);
            SSL_set_fd(p->ssl, p->socket);
            SSL_set_connect_state(p->ssl);
            p->state = HANDSHAKING;
        } else if (ask(p) < 0) {
            return -1;
        }
    }
    if (p->state == HANDSHAKING) {
        int result = SSL_do_handshake(p->ssl);
        if (result != 1) return trouble(p, result);
        if (ask(p) < 0) return -1;
    }
    for (;;) {
        int room = sizeof p->input - p->filled;
        int n = p->ssl ? SSL_read(p->ssl, p->input + p->filled, room) : recv(p->socket, p->input + p->filled, room, 0);
        if (n <= 0) {
            if (p->ssl) return trouble(p, n);
            return n < 0 && errno == EAGAIN ? 0 : -1;
        }
        p->filled += n;
        if (digest(p) < 0) return -1;
    }
}

// Wakes when all are served, not before: a hub that is slow to serve the last of them ends a conversation whose first
// puck has said nothing meanwhile.
static int wake(struct puck *p) {
    if (p->asked) return 0;
    p->asked = 1;
    return say(p, "{\"op\":\"wake_candidate\",\"wake_id\":1,\"phrase\":\"puck\",\"start_ts\":1,\"snr_db\":20,"
                  "\"level_db\":-20,\"noise_db\":-40,\"confidence\":1}");
}

static int speak(struct puck *p) {
    static unsigned char silence[2 * SAMPLES];
    if (!isEcho && !is("ping") && !p->granted) return wake(p);
    sent++;
    if (is("ping")) {
        char ping[64];
        snprintf(ping, sizeof ping, "{\"op\":\"ping\",\"t0\":%.3f}", now() / 1e6);
        return say(p, ping);
    }
    int n = p->sequence % OPUS_PACKETS;
    if (is("pcm")) return message(p, 0xA1, p->sequence++, silence, sizeof silence);
    return message(p, 0xA2, p->sequence++, packets[n], packetBytes[n]);
}

// Something like a vowel, so that the decoder has its usual work.
static void encode(void) {
    int error;
    OpusEncoder *encoder = opus_encoder_create(16000, 1, OPUS_APPLICATION_VOIP, &error);
    opus_encoder_ctl(encoder, OPUS_SET_BITRATE(24000));
    for (int n = 0; n < OPUS_PACKETS; n++) {
        opus_int16 samples[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) {
            int t = n * SAMPLES + i;
            samples[i] = (t % 123) * 60 - 3600 + (t % 37) * 70 + rand() % 800;
        }
        packetBytes[n] = opus_encode(encoder, samples, SAMPLES, packets[n], sizeof packets[n]);
    }
    opus_encoder_destroy(encoder);
}

static void obey(void) {
    char line[64];
    if (!fgets(line, sizeof line, stdin)) exit(0);
    if (!strcmp(line, "send\n")) isSending = 1;
    if (!strcmp(line, "count\n")) printf("count %lu %lu %lu\n", sent, handled, attempts);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc == 7 && !strcmp(argv[1], "-p")) isTLS = 0, argv++, argc--;
    FILE *tokens = argc == 6 ? fopen(argv[5], "r") : NULL;
    if (!tokens) {
        fprintf(stderr, "usage: load [-p] PORT COUNT RATE KIND TOKENS\n");
        return 2;
    }
    port = atoi(argv[1]);
    count = atoi(argv[2]);
    period = 1000000000LL / atoi(argv[3]);
    kind = argv[4];
    isEcho = !strncmp(kind, "echo-", 5);
    pucks = calloc(count, sizeof *pucks);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdin, NULL, _IONBF, 0);
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    encode();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event input = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
    downSince = now();
    for (int i = 0; i < count; i++) {
        pucks[i].socket = -1;
        // The first start is spread: it is the return after a loss that is watched, and handshakes that pile up would
        // leave the hub with a larger heap.
        pucks[i].due = downSince + i * 4000000LL;
        if (fscanf(tokens, "%32s %64s", pucks[i].name, pucks[i].token) != 2) return 2;
    }
    fclose(tokens);
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll, events, 256, 1);
        for (int i = 0; i < n; i++) {
            struct puck *p = events[i].data.ptr;
            if (!p) obey();
            else if (p->state != WAITING && advance(p, events[i].events) < 0) lose(p);
        }
        int64_t t = now();
        for (struct puck *p = pucks; p < pucks + count; p++) {
            if (p->due > t) continue;
            if (p->state == WAITING) {
                dial(p);
            } else if (p->state == SERVED && isSending && !is("idle")) {
                p->due += (1 + (t - p->due) / period) * period;
                if (speak(p) < 0) lose(p);
            }
        }
    }
}
