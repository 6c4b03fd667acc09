#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

/// Bytes that TLS has decrypted and libpq has not read yet: poll(2) on the socket does not report them.
static inline int regionsync_pq_tls_pending(PGconn *connection) {
    SSL *ssl = connection == NULL ? NULL : (SSL *)PQsslStruct(connection, "OpenSSL");
    return ssl == NULL ? 0 : SSL_pending(ssl);
}

/// Names the calling thread. prctl(2) is variadic, and pthread_setname_np hidden without _GNU_SOURCE.
static inline void regionsync_name_thread(const char *name) { prctl(PR_SET_NAME, name); }
