// The least that a WebSocket hub can cost: libwebsockets' own loop, every binary message sent back as it came.
// usage: echo PORT CERTIFICATE KEY        (PORT 0: any; prints "port N"; CERTIFICATE "-": without TLS)
// Tables and buffers are as large as puckhub's, so that what differs is what is done with a message.
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 4096, CONNECTIONS = 1100 };

struct session {
    size_t length;
    unsigned char message[LWS_PRE + LARGEST];
};

static int echo(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
    // Memory of an idle connection is measured too: the buffer comes with the first message.
    struct session **slot = user;
    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
        if (length > LARGEST) return -1;
        if (!*slot && !(*slot = malloc(sizeof **slot))) return -1;
        memcpy((*slot)->message + LWS_PRE, in, length);
        (*slot)->length = length;
        lws_callback_on_writable(wsi);
        break;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (!*slot || (*slot)->length == 0) break;
        length = (*slot)->length;
        (*slot)->length = 0;
        if (lws_write(wsi, (*slot)->message + LWS_PRE, length, LWS_WRITE_BINARY) < 0) return -1;
        break;
    case LWS_CALLBACK_CLOSED:
        free(*slot);
        *slot = NULL;
        break;
    default:
        break;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: echo PORT CERTIFICATE KEY\n");
        return 2;
    }
    static const struct lws_protocols protocols[] = {
        {.name = "puck.v1", .callback = echo, .per_session_data_size = sizeof(struct session *), .rx_buffer_size = LARGEST},
        {0},
    };
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context_creation_info info = {
        .port = atoi(argv[1]),
        .iface = "127.0.0.1",
        .protocols = protocols,
        .gid = -1,
        .uid = -1,
        .fd_limit_per_thread = CONNECTIONS,
        .max_http_header_pool = CONNECTIONS,
        .pt_serv_buf_size = LARGEST,
    };
    if (strcmp(argv[2], "-")) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
        info.ssl_cert_filepath = argv[2];
        info.ssl_private_key_filepath = argv[3];
    }
    struct lws_context *context = lws_create_context(&info);
    if (!context) return 1;
    printf("port %d\n", lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default")));
    fflush(stdout);
    while (lws_service(context, 0) >= 0) {}
    lws_context_destroy(context);
    return 0;
}
