/* unsent.c -- what a mount that ends could not send (mount.h). */
#include "fs/core/say.h"
#include "fs/core/state.h"

/* The name is known of what was never sent. */
static void out_name(struct nwr_out *o, const struct nwr_node *n)
{
    for (uint32_t i = 0; n->held && i < n->held->nwrite; i++) {
        struct nwr_key_parts p;

        if (!nwr_key_parse(&n->held->write[i].key, &p) || p.kind != 'E' || nwr_view_hidden(&p))
            continue;
        nwr_say(o, " name=\"");
        nwr_out_raw(o, p.name, p.name_len);
        nwr_say(o, "\"");
        return;
    }
}

static void say_unsent(struct nwr_mount *m, const struct nwr_node *n)
{
    struct nwr_out o = {0};

    nwr_say(&o, "event=not_sent ino=");
    nwr_say_number(&o, n->ino, 1);
    out_name(&o, n);
    nwr_say(&o, " bytes=");
    nwr_say_number(&o, n->file ? nwr_file_size(n->file) : 0, 1);
    nwr_say(&o, " why=\"");
    nwr_say(&o, nwr_err_text(n->err ? n->err : NWR_E_TIMEDOUT));
    nwr_say(&o, "\"");
    nwr_out_u8(&o, 0);
    nwr_mount_log(m, (char *)o.data);
}

void nwr_mount_unsent(struct nwr_mount *m, struct nwr_fs_effects *out)
{
    m->out = out;
    for (uint32_t i = 0; i < m->ndue; i++)
        if (m->due[i]->push_at && (m->due[i]->pushing || nwr_node_unsent(m->due[i])))
            say_unsent(m, m->due[i]);
    m->out = NULL;
}
