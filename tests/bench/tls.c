/* tls.c -- what the volume key costs: one connection of this machine, plain and with a key.
 *
 * Both ends run on one loop, so a second of CPU is spent on both. Only the ratios mean something.
 *   NWR_BENCH_MB (2048) of blocks of 1 MiB; NWR_BENCH_TRIPS (20000) PINGs and PONGs one by one
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "net/uv/address.h"
#include "net/uv/conn.h"
#include "net/uv/listen.h"

struct bench {
    uv_loop_t loop;
    struct nwr_listener listener;
    struct sockaddr_storage at;
    struct nwr_tls_context *tls;
    struct nwr_conn *a, *b;
    bool open;
    uint64_t got, pongs;
};

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);

    return s ? strtoull(s, NULL, 10) : otherwise;
}

static void on_open(struct nwr_conn *c)
{
    ((struct bench *)nwr_conn_user(c))->open = true;
}

static void on_msg(struct nwr_conn *c, struct nwr_msg *m)
{
    struct bench *t = nwr_conn_user(c);

    t->got += m->kind == NWR_MSG_BLOCK;
    t->pongs += m->kind == NWR_MSG_PONG;
    nwr_msg_deinit(m);
}

static void on_closed(struct nwr_conn *c, const char *why)
{
    struct bench *t = nwr_conn_user(c);

    (void)why;
    if (t->a == c)
        t->a = NULL;
    else
        t->b = NULL;
}

static const struct nwr_conn_calls calls = {on_open, on_msg, on_closed, NULL};

static void on_connection(struct nwr_listener *l, int fd)
{
    struct bench *t = l->poll.data;

    t->b = nwr_conn_accept(&t->loop, fd, t->tls, &calls, t);
    nwr_conn_trust(t->b);
}

static uint64_t cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void blocks(struct bench *t, uint64_t mib)
{
    struct nwr_msg m = {.kind = NWR_MSG_BLOCK, .id = 1};
    uint64_t sent = 0;

    m.u.block.data = nwr_blob_new(NWR_BLOCK_MAX);
    memset(m.u.block.data->data, 7, NWR_BLOCK_MAX);
    while (t->got < mib) {
        for (; sent < mib && sent < t->got + 8; sent++) {
            nwr_conn_send(t->a, &m);
            nwr_conn_flush(t->a);
        }
        uv_run(&t->loop, UV_RUN_ONCE);
    }
    nwr_msg_deinit(&m);
}

static void trips(struct bench *t, uint64_t n)
{
    struct nwr_msg m = {.kind = NWR_MSG_PING, .id = 1};

    for (uint64_t i = 1; i <= n; i++) {
        nwr_conn_send(t->a, &m);
        nwr_conn_flush(t->a);
        while (t->pongs < i)
            uv_run(&t->loop, UV_RUN_ONCE);
    }
}

static void run(struct nwr_tls_context *tls, uint64_t mib, uint64_t ntrip, uint64_t us[2])
{
    struct bench t = {.tls = tls};
    uint64_t begin;

    uv_loop_init(&t.loop);
    nwr_address_parse("127.0.0.1:0", true, &t.at);
    nwr_listener_start(&t.listener, &t.loop, nwr_listener_bind(&t.at), "bench", on_connection);
    t.listener.poll.data = &t;
    t.a = nwr_conn_dial(&t.loop, (struct sockaddr *)&t.at, tls, &calls, &t);
    nwr_conn_trust(t.a);
    while (!t.open || !t.b)
        uv_run(&t.loop, UV_RUN_ONCE);
    begin = cpu_us();
    blocks(&t, mib);
    us[0] += cpu_us() - begin;
    begin = cpu_us();
    trips(&t, ntrip);
    us[1] += cpu_us() - begin;
    nwr_conn_close(t.a, "end");
    while (t.a || t.b)
        uv_run(&t.loop, UV_RUN_ONCE);
    nwr_listener_stop(&t.listener);
    uv_close((uv_handle_t *)&t.listener.poll, NULL);
    uv_close((uv_handle_t *)&t.listener.retry, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    uv_loop_close(&t.loop);
}

int main(void)
{
    uint64_t mib = number("NWR_BENCH_MB", 2048) / 4, n = number("NWR_BENCH_TRIPS", 20000) / 4;
    uint64_t plain[2] = {0}, sealed[2] = {0};
    char text[80] = "nwrfs-key-1 ", why[NWR_KEYS_WHY_MAX];
    struct nwr_tls_context *tls;
    struct nwr_keys keys;

    memset(text + 12, '7', 64);
    nwr_assert(!nwr_keys_parse(&keys, text, 76, why));
    tls = nwr_tls_context_create(&keys);
    for (unsigned i = 0; i < 4; i++) { /* in turn: what else the machine does hits both */
        run(NULL, mib, n, plain);
        run(tls, mib, n, sealed);
    }
    printf("CPU, both ends   plain   with a key   ratio\n");
    printf("us a MiB      %8.0f   %10.0f   %5.2f\n", (double)plain[0] / (double)(4 * mib),
           (double)sealed[0] / (double)(4 * mib), (double)sealed[0] / (double)plain[0]);
    printf("us a trip     %8.1f   %10.1f   %5.2f\n", (double)plain[1] / (double)(4 * n),
           (double)sealed[1] / (double)(4 * n), (double)sealed[1] / (double)plain[1]);
    nwr_tls_context_destroy(tls);
    return 0;
}
