/* cmd_ring.c -- `nwrfs ring`: the members of a volume, and changes of them (DESIGN 6, 15).
 *
 *     list ............ ask the node, print a table
 *     anything else ... ask for a change --decided--> [--wait: follow it until the ring is settled]
 *
 * A change goes on by itself once it is decided, whatever becomes of this program.
 */
#include "net/uv/address.h"
#include "nwr/limits.h"
#include "tools/admin.h"
#include "tools/cmd.h"
#include "tools/mounts.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_MS = 200,
    BAR = 30,
    WORDS_MAX = 3
};

struct options {
    const char *word[WORDS_MAX]; /* verb and what it takes */
    int nword;
    const char *dir, *path;
    char address[NWR_ADDRESS_MAX]; /* of add and replace, as members write it */
    bool wait, force, json;
    struct nwr_mount_entry mount;
};

/* What each verb takes besides the volume. */
static const struct {
    const char *verb;
    int words;
} verbs[] = {{"list", 0}, {"add", 1}, {"remove", 1}, {"replace", 2}, {"weight", 2}, {"n", 1}};

static int help(void)
{
    printf(
        "usage: nwrfs ring list | add ADDR:PORT | remove ORDINAL | replace ORDINAL ADDR:PORT\n"
        "                  | weight ORDINAL W | n N\n"
        "                  [--data DIR | MOUNTPOINT] [--wait] [--force] [--json]\n\n"
        "Lists the members of a volume or changes them, while it is in use. add and replace "
        "expect\n"
        "a node that is started at that address with --join. weight is the share of the data a\n"
        "member holds, 256 is normal; n is the number of copies. --wait shows how far it is and\n"
        "ends when it is done; list --wait waits for a change that is under way. --force, with\n"
        "remove and replace, gives up what only that node has and waits for it no more: for a\n"
        "node that is gone for good.\n");
    return 0;
}

static int words_of(const char *verb)
{
    for (size_t i = 0; i < NWR_COUNT(verbs); i++)
        if (strcmp(verbs[i].verb, verb) == 0)
            return verbs[i].words;
    return -1;
}

static int take_word(struct options *o, const char *arg)
{
    int want = o->nword ? words_of(o->word[0]) : 0;

    if (o->nword == 0 && words_of(arg) < 0)
        return nwr_cmd_usage("ring: %s: list, add, remove, replace, weight or n is wanted", arg);
    if (o->nword <= want)
        o->word[o->nword++] = arg;
    else if (!o->path)
        o->path = arg;
    else
        return nwr_cmd_usage("ring: %s: unexpected; see nwrfs ring --help", arg);
    return -1;
}

static bool is_number(const char *text, long top)
{
    size_t len = strspn(text, "0123456789");

    return len > 0 && len < 10 && !text[len] && strtol(text, NULL, 10) <= top;
}

/* The word at `at` is where a node can listen. */
static int check_address(struct options *o, int at)
{
    struct sockaddr_storage a;
    const char *why = nwr_address_parse(o->word[at], true, &a);

    if (!why &&
        (nwr_address_any((struct sockaddr *)&a) || nwr_address_port((struct sockaddr *)&a) == 0))
        why = "no node can be reached there";
    if (why)
        return nwr_cmd_usage("ring: %s: %s: %s; give the ADDRESS:PORT that the new node will "
                             "--listen at",
                             o->word[0], o->word[at], why);
    nwr_address_text((struct sockaddr *)&a, o->address);
    o->word[at] = o->address;
    return -1;
}

/* What is seen to be wrong without asking a node. -1: nothing is. */
static int check_words(struct options *o)
{
    const char *verb = o->word[0];

    if (strcmp(verb, "list") == 0)
        return -1;
    if (strcmp(verb, "add") == 0)
        return check_address(o, 1);
    if (strcmp(verb, "n") == 0 && !is_number(o->word[1], LONG_MAX))
        return nwr_cmd_usage("ring: n: %s: n is 1 to 7", o->word[1]);
    if (strcmp(verb, "n") != 0 && !is_number(o->word[1], NWR_ORDINAL_MAX))
        return nwr_cmd_usage("ring: %s: %s: an ordinal is 1 to %d; see nwrfs ring list", verb,
                             o->word[1], NWR_ORDINAL_MAX);
    if (strcmp(verb, "weight") == 0 && !is_number(o->word[2], LONG_MAX))
        return nwr_cmd_usage("ring: weight: %s: a weight is 1 to 65535, 256 is normal", o->word[2]);
    return strcmp(verb, "replace") == 0 ? check_address(o, 2) : -1;
}

/* -1: go on. */
static int parse(int argc, char **argv, struct options *o)
{
    int status = -1;

    for (int i = 1; i < argc && status < 0; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--wait") == 0)
            o->wait = true;
        else if (strcmp(argv[i], "--force") == 0)
            o->force = true;
        else if (strcmp(argv[i], "--json") == 0)
            o->json = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            o->dir = argv[++i];
        else if (argv[i][0] != '-')
            status = take_word(o, argv[i]);
        else
            status = nwr_cmd_usage("ring: %s: unexpected; see nwrfs ring --help", argv[i]);
    }
    if (status >= 0)
        return status;
    if (!o->nword || o->nword <= words_of(o->word[0]))
        return nwr_cmd_usage("ring: something is missing; see nwrfs ring --help");
    if (!o->dir == !o->path)
        return nwr_cmd_usage("ring: --data DIR or MOUNTPOINT is wanted");
    if (o->force && strcmp(o->word[0], "remove") != 0 && strcmp(o->word[0], "replace") != 0)
        return nwr_cmd_usage("ring: --force goes with remove and replace");
    return check_words(o);
}

/* NULL: no node answers, see errno; said: after an error was printed. */
static json_t *ask(const struct options *o, const char *line, bool *said)
{
    char *text = nwr_admin_ask(o->dir, line);
    json_t *answer = text ? json_loads(text, 0, NULL) : NULL;

    *said = false;
    if (!answer && text && strncmp(text, "error: ", 7) == 0) {
        text[strcspn(text, "\n")] = '\0';
        nwr_cmd_fail("ring: %s: %s", o->dir, text + 7);
        *said = true;
    }
    nwr_free(text);
    return answer;
}

static long long number(const json_t *from, const char *name)
{
    return json_integer_value(json_object_get(from, name));
}

static const char *string(const json_t *from, const char *name)
{
    const char *s = json_string_value(json_object_get(from, name));

    return s ? s : "";
}

static int nobody(const struct options *o)
{
    return nwr_cmd_fail("ring: %s: %s", o->dir, nwr_admin_why(errno));
}

/* ---- list ------------------------------------------------------------------------------------ */

/* A member that does not answer: what it is to hold waits for it, who knows how long. 0: none. */
static long long away(const json_t *ring)
{
    json_t *member;
    size_t i;

    json_array_foreach(json_object_get(ring, "members"), i, member)
    {
        if (strcmp(string(member, "state"), "down") == 0)
            return number(member, "ordinal");
    }
    return 0;
}

/* "12 s left" or what there is to say instead. */
static const char *left(const json_t *ring, char text[64])
{
    const json_t *s = json_object_get(json_object_get(ring, "change"), "left_s");
    long long down = away(ring);

    text[0] = '\0';
    if (down)
        snprintf(text, 64, ", member %lld is down and may be waited for", down);
    else if (json_is_integer(s))
        snprintf(text, 64, ", %lld s left", (long long)json_integer_value(s));
    return text;
}

static void print_change(const json_t *ring)
{
    const json_t *change = json_object_get(ring, "change");
    char text[64];

    printf("changing: %lld of %lld groups copied, %.1f MiB, %.1f MiB/s%s\n", number(change, "done"),
           number(change, "groups"), (double)number(change, "bytes") / (1 << 20),
           (double)number(change, "bytes_s") / (1 << 20), left(ring, text));
}

static int list(const struct options *o)
{
    bool said;
    json_t *ring = ask(o, "ring", &said), *member;
    size_t i;

    if (!ring)
        return said ? 1 : nobody(o);
    if (o->json) {
        json_dumpf(ring, stdout, JSON_COMPACT);
        printf("\n");
    } else {
        printf("epoch %lld, n %lld, %lld groups\n%-8s%-10s%-8s%s\n", number(ring, "epoch"),
               number(ring, "n"), number(ring, "pgs"), "ordinal", "state", "weight", "address");
        json_array_foreach(json_object_get(ring, "members"), i, member)
            printf("%-8lld%-10s%-8lld%s\n", number(member, "ordinal"), string(member, "state"),
                   number(member, "weight"), string(member, "address"));
        if (json_is_object(json_object_get(ring, "change")))
            print_change(ring);
        if (number(ring, "replaced"))
            printf("%lld is replaced by the node that joins from %s\n", number(ring, "replaced"),
                   string(ring, "replacement"));
    }
    json_decref(ring);
    return 0;
}

/* ---- changes --------------------------------------------------------------------------------- */

static void draw(const json_t *ring)
{
    const json_t *change = json_object_get(ring, "change");
    long long groups = number(change, "groups"), done = number(change, "done");
    int full = groups ? (int)(done * BAR / groups) : 0;
    char text[64];

    if (!isatty(STDOUT_FILENO))
        return;
    printf("\r[%.*s%.*s] ", full, "##############################", BAR - full,
           "..............................");
    printf("%lld/%lld groups, %.1f MiB, %.1f MiB/s%s\033[K", done, groups,
           (double)number(change, "bytes") / (1 << 20),
           (double)number(change, "bytes_s") / (1 << 20), left(ring, text));
    fflush(stdout);
}

/* The node at this address is a member, and nothing more is to be done for it. */
static bool is_member(const json_t *ring, const char *address)
{
    json_t *member;
    size_t i;

    json_array_foreach(json_object_get(ring, "members"), i,
                       member) if (strcmp(string(member, "address"), address) == 0 &&
                                   strcmp(string(member, "state"), "joining") != 0) return true;
    return false;
}

/* -1: not yet. */
static int decided(const struct options *o, const json_t *ring, long long wish)
{
    const json_t *w = json_object_get(ring, "wish");

    if (!w || number(w, "done") < wish)
        return -1;
    if (!json_is_true(json_object_get(w, "ok")))
        return nwr_cmd_fail("ring: %s: %s", o->word[0], string(w, "text"));
    return 0;
}

static bool is_over(const struct options *o, const json_t *ring)
{
    const char *comes = strcmp(o->word[0], "add") == 0       ? o->word[1]
                        : strcmp(o->word[0], "replace") == 0 ? o->word[2]
                                                             : NULL;

    if (json_is_object(json_object_get(ring, "change")))
        draw(ring);
    return !json_is_true(json_object_get(ring, "joint")) && (!comes || is_member(ring, comes));
}

static void say_how(const char *address)
{
    printf("start the node there: nwrfs serve --data DIR --listen %s --join MEMBER\n", address);
    fflush(stdout); /* --wait waits for whoever reads this */
}

/* The node that is asked does not answer any more. It may be the one that was to go: then it ends,
 * and takes its socket away. */
static int gone(const struct options *o, bool leaves)
{
    if (leaves && errno == ENOENT)
        return 0;
    return nwr_cmd_fail(
        "ring: %s: %s; the change was decided and goes on by itself, see nwrfs ring "
        "list at another member",
        o->dir, nwr_admin_why(errno));
}

/* Whether it is the node that is asked which is to go. */
static bool asks_itself(const struct options *o)
{
    bool goes = strcmp(o->word[0], "remove") == 0 || strcmp(o->word[0], "replace") == 0, said;
    json_t *status = goes ? ask(o, "status", &said) : NULL;
    bool same = status && number(status, "ordinal") == strtol(o->word[1], NULL, 10);

    json_decref(status);
    return same;
}

static int follow(const struct options *o, long long wish)
{
    struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    bool is_decided = wish == 0, over = false, said, leaves = asks_itself(o);
    int status = 0;

    while (!over && status <= 0) {
        json_t *ring = ask(o, "ring", &said);

        if (!ring)
            return said ? 1 : is_decided && wish ? gone(o, leaves) : nobody(o);
        if (!is_decided) {
            status = decided(o, ring, wish);
            is_decided = status == 0;
            if (is_decided && strcmp(o->word[0], "replace") == 0)
                say_how(o->word[2]);
        }
        over = is_decided && (!o->wait || is_over(o, ring));
        json_decref(ring);
        if (!over && status <= 0)
            nanosleep(&pause, NULL);
    }
    if (o->wait && isatty(STDOUT_FILENO))
        printf("\n");
    return status > 0 ? status : 0;
}

/* Nothing is decided here: a node that comes is let in by the member it asks. */
static int add(const struct options *o)
{
    bool said;
    json_t *ring = ask(o, "ring", &said);
    bool known = ring && is_member(ring, o->word[1]);

    if (!ring)
        return said ? 1 : nobody(o);
    json_decref(ring);
    if (known)
        return nwr_cmd_fail("ring: add: %s: a member is there already; see nwrfs ring list",
                            o->word[1]);
    say_how(o->word[1]);
    return o->wait ? follow(o, 0) : 0;
}

static int change(const struct options *o)
{
    const char *a = o->nword > 1 ? o->word[1] : "", *b = o->nword > 2 ? o->word[2] : "";
    char line[200];
    json_t *answer;
    long long wish;
    bool said;

    if (strcmp(o->word[0], "add") == 0)
        return add(o);
    snprintf(line, sizeof(line), "reshape %s %s%s%s%s", o->word[0], a, *b ? " " : "", b,
             o->force ? " force" : "");
    answer = ask(o, line, &said);
    if (!answer)
        return said ? 1 : nobody(o);
    wish = number(answer, "wish");
    json_decref(answer);
    if (o->force)
        fprintf(stderr, "nwrfs: ring: what only node %s has is given up\n", a);
    return follow(o, wish);
}

int nwr_cmd_ring(int argc, char **argv)
{
    struct options o = {0};
    int status = parse(argc, argv, &o);

    if (status >= 0)
        return status;
    if (nwr_mounts_data("ring", o.path, &o.mount, &o.dir))
        return 1;
    if (strcmp(o.word[0], "list") != 0)
        return change(&o);
    status = o.wait ? follow(&o, 0) : 0;
    return status ? status : list(&o);
}
