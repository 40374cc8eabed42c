// OpenSSL. The SRP functions of pairing are marked deprecated since 3.0, with no successor; both Debian 12 (3.0) and
// Debian 13 (3.5) have them. docs/SECURITY.md says why they are used all the same.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/srp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
