/* store_crash_test.c -- kill -9 while writing, again and again, on one directory.
 *
 * The child is this program with a directory as its argument. It writes contents, each with two
 * blocks, replaces and removes older ones, and says on its standard output what the store
 * acknowledged: "put N", "gone N". The parent kills it at a random moment, opens the store and
 * compares.
 */
#include "tests/contract/store_kit.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 12
#define SPAN 100000 /* contents of one round are numbered from round * SPAN */
#define FLIGHT 8
#define SMALL 3000
#define LARGE (NWR_BLOCK_SEGMENT + 500)

/* ---- the child ------------------------------------------------------------------------------ */

static void name_blocks(struct batch *b, struct nwr_write *w, uint64_t n)
{
    write_names(w, block_id(2 * n));
    write_names(w, block_id(2 * n + 1));
    batch_block(b, block_id(2 * n), (uint8_t)n, SMALL);
    batch_block(b, block_id(2 * n + 1), (uint8_t)n, n % 4 ? 100 : LARGE);
}

static void say(const char *what, uint64_t n)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "%s %llu\n", what, (unsigned long long)n);

    if (write(1, line, (size_t)len) != len)
        _exit(3);
}

static void start_put(struct kit *k, struct batch *b, uint64_t n)
{
    struct nwr_write *w;

    batch_init(b, k, NWR_STORE_APPLY);
    w = batch_put(b, content_key(n), n + 1, "content");
    w->v.dot.counter = n + 1;
    name_blocks(b, w, n);
    batch_submit(b);
}

static void start_discard(struct kit *k, struct batch *b, uint64_t n)
{
    struct nwr_seen seen = {{(nwr_actor)1 << 32 | 9, n + 1}, n + 1};

    batch_init(b, k, NWR_STORE_APPLY);
    batch_discard(b, content_key(n), seen);
    batch_submit(b);
}

static int child(const char *dir, uint64_t first)
{
    static struct batch b[FLIGHT];
    struct kit k = {.rocks = true, .segment_bytes = 1 << 20};
    uint64_t gone = first;

    snprintf(k.dir, sizeof(k.dir), "%s", dir);
    kit_open(&k);
    if (first / SPAN % 2)
        nwr_store_rocks_mode(k.s, NWR_STORE_THREADED);
    for (uint64_t n = first; n < first + SPAN; n += FLIGHT) {
        for (uint64_t i = 0; i < FLIGHT; i++)
            start_put(&k, &b[i], n + i);
        for (uint64_t i = 0; i < FLIGHT; i++) {
            batch_wait(&b[i]);
            assert_int_equal(b[i].op.err, NWR_OK);
            batch_deinit(&b[i]);
            say("put", n + i);
        }
        for (uint64_t i = 0; i < FLIGHT; i++)
            start_discard(&k, &b[i], gone + 2 * i);
        for (uint64_t i = 0; i < FLIGHT; i++) {
            batch_wait(&b[i]);
            batch_deinit(&b[i]);
            say("gone", gone + 2 * i);
        }
        gone += FLIGHT;
        if (n / FLIGHT % 10 == 0)
            assert_int_equal(sync_now(&k), NWR_OK);
    }
    return 0;
}

/* ---- the parent ----------------------------------------------------------------------------- */

enum {
    UNKNOWN,
    PUT,
    GONE
};

static pid_t spawn(const char *dir, uint64_t first, int *from)
{
    char number[32];
    int pipes[2];
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    snprintf(number, sizeof(number), "%llu", (unsigned long long)first);
    pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 1);
        close(pipes[0]);
        execl("/proc/self/exe", "store_crash_test", dir, number, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    *from = pipes[0];
    assert_true(pid > 0);
    return pid;
}

/* Notes acknowledgements; kills after `limit` of them; the number noted. */
static uint32_t listen_and_kill(pid_t pid, int from, uint32_t limit, uint64_t first,
                                uint8_t *states)
{
    FILE *f = fdopen(from, "r");
    unsigned long long n;
    uint32_t heard = 0;
    char what[8];
    int status;

    while (fscanf(f, "%7s %llu", what, &n) == 2) {
        assert_in_range(n, first, first + SPAN - 1);
        states[n - first] = strcmp(what, "put") == 0 ? PUT : GONE;
        if (++heard == limit)
            kill(pid, SIGKILL);
    }
    fclose(f);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return heard;
}

/* A removal that was under way when the process died may be there or not. */
static void check_round(struct kit *k, uint64_t first, const uint8_t *states)
{
    char body[16];

    for (uint64_t i = 0; i < SPAN; i++) {
        uint64_t n = first + i;
        uint32_t versions;

        if (states[i] == UNKNOWN)
            continue;
        versions = get_one(k, content_key(n), body, sizeof(body));
        assert_true(states[i] == GONE ? versions == 0 : versions <= 1);
        if (versions == 0)
            continue;
        assert_string_equal(body, "content");
        assert_int_equal(get_block(k, block_id(2 * n), (uint8_t)n, SMALL), NWR_OK);
        assert_int_equal(get_block(k, block_id(2 * n + 1), (uint8_t)n, n % 4 ? 100 : LARGE),
                         NWR_OK);
    }
}

/* At most FLIGHT puts that were acknowledged may miss their version: removals under way. */
static uint32_t count_lost(struct kit *k, uint64_t first, const uint8_t *states)
{
    uint32_t lost = 0;
    char body[16];

    for (uint64_t i = 0; i < SPAN; i++)
        lost += states[i] == PUT && get_one(k, content_key(first + i), body, sizeof(body)) == 0;
    return lost;
}

static void kill_9_at_any_moment_loses_nothing_acknowledged(void **state)
{
    struct kit *k = nwr_zalloc(sizeof(*k));
    uint8_t *states = nwr_alloc(SPAN);
    uint32_t heard = 0;

    (void)state;
    k->rocks = true;
    k->segment_bytes = 1 << 20;
    kit_tmpdir(k->dir, sizeof(k->dir));
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint32_t limit = 1 + (uint32_t)(nwr_mix64(round) % 1500);
        uint64_t first = round * SPAN;
        int from;
        pid_t pid = spawn(k->dir, first, &from);

        memset(states, UNKNOWN, SPAN);
        heard += listen_and_kill(pid, from, limit, first, states);
        kit_open(k);
        kit_assert_whole(k);
        assert_int_equal(kit_verify(k).idle, 0);
        check_round(k, first, states);
        assert_in_range(count_lost(k, first, states), 0, FLIGHT);
        k->s->destroy(k->s);
        k->s = NULL;
    }
    assert_true(heard >= ROUNDS);
    kit_remove(k->dir);
    nwr_free(states);
    nwr_free(k);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_9_at_any_moment_loses_nothing_acknowledged),
    };

    if (argc == 3)
        return child(argv[1], strtoull(argv[2], NULL, 10));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
