/* options.c -- see options.h. */
#include "tools/options.h"

#include "nwr/limits.h"
#include "tools/cmd.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OPT_DATA = 256,
    OPT_LISTEN,
    OPT_JOIN,
    OPT_PEERS,
    OPT_N,
    OPT_W,
    OPT_R,
    OPT_KEY,
    OPT_HTTP,
    OPT_HELP
};

static const struct option longs[] = {{"data", required_argument, NULL, OPT_DATA},
                                      {"listen", required_argument, NULL, OPT_LISTEN},
                                      {"join", required_argument, NULL, OPT_JOIN},
                                      {"peers", required_argument, NULL, OPT_PEERS},
                                      {"n", required_argument, NULL, OPT_N},
                                      {"w", required_argument, NULL, OPT_W},
                                      {"r", required_argument, NULL, OPT_R},
                                      {"key", required_argument, NULL, OPT_KEY},
                                      {"http", required_argument, NULL, OPT_HTTP},
                                      {"help", no_argument, NULL, OPT_HELP},
                                      {NULL, 0, NULL, 0}};

static const char *const names[] = {"serve", "mount"};

static void help(enum nwr_options_for what)
{
    if (what == NWR_OPTIONS_SERVE)
        printf("usage: nwrfs serve --data DIR [OPTIONS]\n\nRuns a peer daemon on the data "
               "directory DIR.\n\n");
    else
        printf("usage: nwrfs mount --data DIR [OPTIONS] MOUNTPOINT\n"
               "       nwrfs mount --peers IP:PORT[,...] [OPTIONS] MOUNTPOINT\n\n"
               "Mounts a volume: as a node with storage in DIR, or storing nothing and asking "
               "peers.\n\n");
    printf(
        "  --data DIR       data directory; a new one becomes a new volume of one node\n"
        "  --join IP:PORT   join the volume of this member (may be given several times)\n"
        "  --listen IP:PORT where peers reach this node; default 127.0.0.1 and a port chosen\n"
        "                   once and kept (DIR/address); other addresses need --key\n"
        "  --key FILE       the volume's key (nwrfs keygen): connections are encrypted, and who\n"
        "                   does not have it is refused; SIGHUP reads the file again\n"
        "  --n, --w, --r N  copies, write and read quorums; when a volume is made (3, majority)\n"
        "  -f               stay in the foreground\n");
    if (what == NWR_OPTIONS_MOUNT)
        printf("  --peers LIST     peers to ask, comma separated\n"
               "  -o OPTION,...    mount options: ro, noatime, nosuid, nodev, noexec, sync,\n"
               "                   allow_other, acl (POSIX ACLs are kept), spool=DIR (where\n"
               "                   refused contents are kept; DATA/rejected if there is --data), "
               "...\n");
    printf("\nReturns when the node answers, and leaves it in the background.\n");
}

static int bad(enum nwr_options_for what, const char *option, const char *why)
{
    return nwr_cmd_usage("%s: %s: %s; see nwrfs %s --help", names[what], option, why, names[what]);
}

static int take_quorum(enum nwr_options_for what, const char *option, const char *text,
                       uint8_t *out)
{
    char *end;
    long v = strtol(text, &end, 10);

    if (*text == '\0' || *end || v < 1 || v > NWR_REPLICAS_MAX)
        return bad(what, option, "must be a number from 1 to 7");
    *out = (uint8_t)v;
    return -1;
}

static int take_peers(struct nwr_options *o, const char *text)
{
    char *save = NULL, *word;

    nwr_free(o->peers_text);
    o->peers_text = nwr_strdup(text);
    o->npeers = 0;
    for (word = strtok_r(o->peers_text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (o->npeers == NWR_OPTIONS_JOIN_MAX)
            return bad(NWR_OPTIONS_MOUNT, "--peers", "too many addresses");
        o->peers[o->npeers++] = word;
    }
    return o->npeers ? -1 : bad(NWR_OPTIONS_MOUNT, "--peers", "an address IP:PORT is wanted");
}

static void take_mount_option(struct nwr_options *o, const char *text)
{
    size_t had = o->mount_options ? strlen(o->mount_options) + 1 : 0, len = strlen(text) + 1;

    o->mount_options = nwr_realloc(o->mount_options, had + len);
    if (had)
        o->mount_options[had - 1] = ',';
    memcpy(o->mount_options + had, text, len);
}

/* Replaces *out; a daemon leaves its working directory. */
static void take_path(char **out, const char *path)
{
    char cwd[PATH_MAX];
    size_t len;

    if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
        cwd[0] = '\0';
    len = strlen(cwd) + strlen(path) + 2;
    nwr_free(*out);
    *out = nwr_alloc(len);
    snprintf(*out, len, "%s%s%s", cwd, cwd[0] ? "/" : "", path);
}

static int take_data(struct nwr_options *o, enum nwr_options_for what, const char *dir)
{
    if (*dir == '\0')
        return bad(what, "--data", "a directory is wanted");
    take_path(&o->data_text, dir);
    o->data = o->data_text;
    return -1;
}

static int take_key(struct nwr_options *o, enum nwr_options_for what, const char *file)
{
    if (*file == '\0')
        return bad(what, "--key", "a file is wanted");
    take_path(&o->key_text, file);
    o->key = o->key_text;
    return -1;
}

static int take(struct nwr_options *o, enum nwr_options_for what, int c, const char *arg)
{
    switch (c) {
    case OPT_DATA: return take_data(o, what, arg);
    case OPT_LISTEN: o->listen = arg; return -1;
    case OPT_JOIN:
        if (o->njoin == NWR_OPTIONS_JOIN_MAX)
            return bad(what, "--join", "too many addresses");
        o->join[o->njoin++] = arg;
        return -1;
    case OPT_PEERS:
        return what == NWR_OPTIONS_MOUNT ? take_peers(o, arg)
                                         : bad(what, "--peers", "is for mount");
    case OPT_N: return take_quorum(what, "--n", arg, &o->n);
    case OPT_W: return take_quorum(what, "--w", arg, &o->w);
    case OPT_R: return take_quorum(what, "--r", arg, &o->r);
    case OPT_KEY: return take_key(o, what, arg);
    case OPT_HTTP: return nwr_cmd_usage("%s: --http: not in this version", names[what]);
    case 'f': o->foreground = true; return -1;
    case 'o':
        if (what == NWR_OPTIONS_SERVE)
            return bad(what, "-o", "is for mount");
        take_mount_option(o, arg);
        return -1;
    case OPT_HELP: help(what); return 0;
    }
    return -1;
}

/* Without a key everybody who reaches the port would be a member. */
static int check_listen(enum nwr_options_for what, const char *listen, const char *key)
{
    if (!listen || key || strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]", 5) == 0)
        return -1;
    return nwr_cmd_usage("%s: --listen %s: without a key a node listens on 127.0.0.1 only; give "
                         "--key FILE (nwrfs keygen)",
                         names[what], listen);
}

static int check(struct nwr_options *o, enum nwr_options_for what, int rest, char **argv)
{
    if (what == NWR_OPTIONS_SERVE) {
        if (rest)
            return bad(what, argv[0], "unexpected");
        if (!o->data)
            return bad(what, "--data", "a data directory is wanted");
    } else {
        if (!o->data == !o->npeers)
            return bad(what, "--data, --peers", "one of the two is wanted");
        if (o->npeers && (o->njoin || o->listen || o->n || o->w || o->r))
            return bad(what, "--peers", "goes with no option of a node with storage");
        if (rest != 1)
            return bad(what, rest ? argv[1] : "MOUNTPOINT", rest ? "unexpected" : "is wanted");
        o->mountpoint = argv[0];
    }
    if (o->n && (o->w > o->n || o->r > o->n))
        return bad(what, "--w, --r", "cannot be more than --n");
    return check_listen(what, o->listen, o->key);
}

int nwr_options_parse(struct nwr_options *o, enum nwr_options_for what, int argc, char **argv)
{
    int c, status;

    *o = (struct nwr_options){0};
    optind = 0;
    opterr = 0;
    for (;;) {
        int at = optind ? optind : 1;

        c = getopt_long(argc, argv, ":fo:", longs, NULL);
        if (c < 0)
            break;
        if (c == '?')
            return bad(what, argv[at], "unknown option");
        if (c == ':')
            return bad(what, argv[at], "a value is wanted");
        status = take(o, what, c, optarg);
        if (status >= 0)
            return status;
    }
    return check(o, what, argc - optind, argv + optind);
}

void nwr_options_deinit(struct nwr_options *o)
{
    nwr_free(o->mount_options);
    nwr_free(o->peers_text);
    nwr_free(o->data_text);
    nwr_free(o->key_text);
    *o = (struct nwr_options){0};
}
