/* wish.c -- a change of the ring that a person asked this node for (reshape.h).
 *
 *     WAITING for another change to end --settled--> decided? --this one--> done, the ring moves on
 *        ^                                              |               by itself (change.c)
 *        \--another proposal was decided first----------/
 *
 * One at a time here; the outcome is kept until the next, for whoever asks again.
 */
#include "net/core/job.h"

struct wish {
    struct nwr_job job;
    struct nwr_reshape what;
    uint64_t epoch;         /* it was proposed for; 0: not yet */
    struct nwr_blob *wants; /* the ring that was proposed */
};

static struct wish *of(struct nwr_job *j)
{
    return nwr_container_of(j, struct wish, job);
}

static void done(struct nwr_node *n, struct wish *w, enum nwr_err err, const char *text)
{
    size_t len = NWR_MIN(strlen(text), sizeof(n->wish.text) - 1);

    n->wish.done = n->wish.asked;
    n->wish.err = err;
    n->wish.epoch = n->ring.epoch;
    memcpy(n->wish.text, text, len);
    n->wish.text[len] = '\0';
    nwr_job_end(n, &w->job, err);
}

static bool is_wanted(const struct nwr_node *n, const struct wish *w)
{
    struct nwr_blob *is = nwr_epoch_blob(&n->ring);
    bool same = is->len == w->wants->len && memcmp(is->data, w->wants->data, is->len) == 0;

    nwr_blob_unref(is);
    return same;
}

static void propose(struct nwr_node *n, struct wish *w)
{
    char text[NWR_RESHAPE_TEXT] = "";
    struct nwr_ring next;
    enum nwr_err err = nwr_reshape(&next, &n->ring, &w->what, text);

    if (err) {
        done(n, w, err, text);
        return;
    }
    nwr_blob_unref(w->wants);
    w->wants = nwr_epoch_blob(&next);
    w->epoch = next.epoch;
    nwr_decide(n, &next, w->what.force);
}

/* A ring that came after the one proposed says nothing of it: it is looked for again, and found
 * done or asked for anew. */
static void look(struct nwr_node *n, struct wish *w)
{
    if (w->epoch && n->ring.epoch == w->epoch && is_wanted(n, w))
        done(n, w, NWR_OK, "");
    else if ((!n->ring.joint || nwr_reshape_amends(&w->what)) && !nwr_is_deciding(n))
        propose(n, w);
}

static void on_changed(struct nwr_node *n, struct nwr_job *j)
{
    look(n, of(j));
}

static void on_wake(struct nwr_node *n, struct nwr_job *j)
{
    if (n->ring.joint)
        done(n, of(j), NWR_E_BUSY, "the ring is being changed already; wait until that is done");
    else
        done(n, of(j), NWR_E_HOSTDOWN,
             "a majority of the members must agree, and cannot be reached");
}

static void on_free(struct nwr_node *n, struct nwr_job *j)
{
    (void)n;
    nwr_blob_unref(of(j)->wants);
}

static const struct nwr_job_kind wish_kind = {
    .name = "wish", .wake = on_wake, .changed = on_changed, .drop = on_free};

void nwr_wish_start(struct nwr_node *n, const struct nwr_reshape *what)
{
    bool under_way = n->wish.asked != n->wish.done;
    struct wish *w;

    if (under_way)
        return;
    n->wish.asked++;
    w = nwr_job_new(n, &wish_kind, sizeof(*w), NULL, 0);
    w->what = *what;
    nwr_job_wake(n, &w->job, n->now + NWR_DEADLINE_MS);
    if (n->joining || n->removed)
        done(n, w, NWR_E_HOSTDOWN, "this node is no member; ask one");
    else
        look(n, w);
}
