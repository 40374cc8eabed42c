// libwebsockets, and the OpenSSL declarations that its header brings along (certificate verification needs them).
#ifndef PUCK_CWEBSOCKETS_H
#define PUCK_CWEBSOCKETS_H

#include <libwebsockets.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// LWS_PRE is an expression over other macros, which Swift does not import.
static inline size_t puck_lws_pre(void) { return LWS_PRE; }

// LWS_SERVER_OPTION_ALLOW_NON_SSL_ON_SSL_PORT spans two lines of casts and shifts, which Swift does not import.
static inline uint64_t puck_lws_plain_on_tls_port(void)
{
    return LWS_SERVER_OPTION_ALLOW_NON_SSL_ON_SSL_PORT | LWS_SERVER_OPTION_ALLOW_HTTP_ON_HTTPS_LISTENER;
}

// ERR_GET_REASON is inline over internal macros that Swift does not import in every OpenSSL 3 release.
static inline int puck_tls_reason(unsigned long error) { return ERR_GET_REASON(error); }

#endif
