// librdkafka for Swift. Functions with variable arguments get a plain form here.
#ifndef REGIONSYNC_CLIBRDKAFKA_H
#define REGIONSYNC_CLIBRDKAFKA_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

// rd_kafka_producev, copying key and value. A null key is no key; timestamp 0 is now.
static inline rd_kafka_resp_err_t clibrdkafka_produce(
    rd_kafka_t *client, const char *topic, const void *key, size_t key_length, const void *value, size_t value_length,
    int64_t timestamp_ms, void *opaque) {
    return rd_kafka_producev(
        client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_length),
        RD_KAFKA_V_VALUE((void *)value, value_length), RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_OPAQUE(opaque),
        RD_KAFKA_V_END);
}

#endif
