/* reshape.c -- the lines of the admin socket that ask for another ring (net/core/reshape.h).
 *
 *     reshape remove ORDINAL [force]           reshape weight ORDINAL W
 *     reshape replace ORDINAL ADDRESS [force]  reshape n N
 *
 * The answer is {"wish":N}; what came of it is in `ring`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/uv/address.h"
#include "net/uv/inside.h"

enum {
    WORDS_MAX = 4
};

static uint32_t split(char *line, char *word[WORDS_MAX])
{
    uint32_t n = 0;

    for (char *save = NULL, *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (n == WORDS_MAX)
            return 0;
        word[n++] = w;
    }
    return n;
}

static bool read_number(const char *text, uint32_t top, uint32_t *out)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || v > top)
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool read_address(const char *text, char out[64])
{
    struct sockaddr_storage a;

    if (strlen(text) >= 64 || nwr_address_parse(text, true, &a) != NULL)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_wish(char *line, struct nwr_reshape *wish)
{
    char *w[WORDS_MAX] = {NULL};
    uint32_t n = split(line, w), ordinal = 0;

    *wish = (struct nwr_reshape){.kind = NWR_RESHAPE_N};
    if (n == 2 && strcmp(w[0], "n") == 0)
        return read_number(w[1], UINT32_MAX, &wish->value);
    if (n < 2 || !read_number(w[1], NWR_ORDINAL_MAX, &ordinal))
        return false;
    wish->ordinal = (uint16_t)ordinal;
    if (strcmp(w[n - 1], "force") == 0) {
        wish->force = true;
        n--;
    }
    if (n == 2 && strcmp(w[0], "remove") == 0) {
        wish->kind = NWR_RESHAPE_REMOVE;
        return true;
    }
    if (n == 3 && strcmp(w[0], "replace") == 0) {
        wish->kind = NWR_RESHAPE_REPLACE;
        return read_address(w[2], wish->address);
    }
    wish->kind = NWR_RESHAPE_WEIGHT;
    return n == 3 && !wish->force && strcmp(w[0], "weight") == 0 &&
           read_number(w[2], UINT32_MAX, &wish->value);
}

char *nwr_reshape_begin(struct nwr_peer *p, char *line)
{
    const struct nwr_wish_state *state = p->node ? nwr_node_wish(p->node) : NULL;
    struct nwr_node_event ev = {.kind = NWR_EV_RESHAPE};
    char text[64];

    if (!state || p->closing || p->state != NWR_PEER_READY)
        return nwr_strdup("error: the node is not running yet, or not any more");
    if (!read_wish(line, &ev.reshape))
        return nwr_strdup("error: not a change of the ring");
    if (state->asked != state->done)
        return nwr_strdup("error: another change was asked for just now; wait until it is decided");
    nwr_drive_event(p, &ev, NULL);
    snprintf(text, sizeof(text), "{\"schema\":1,\"wish\":%" PRIu64 "}", state->asked + 1);
    return nwr_strdup(text);
}
