/* options.h -- the command line that serve and mount share (DESIGN 15).
 *
 * Ownership: strings are argv's, but for mount_options.
 */
#ifndef NWR_OPTIONS_H
#define NWR_OPTIONS_H

#include "nwr/base.h"

#define NWR_OPTIONS_JOIN_MAX 16

enum nwr_options_for {
    NWR_OPTIONS_SERVE,
    NWR_OPTIONS_MOUNT
};

struct nwr_options {
    const char *data; /* NULL: a mount without storage */
    const char *listen;
    const char *key;
    const char *join[NWR_OPTIONS_JOIN_MAX];
    unsigned njoin;
    uint8_t n, w, r; /* 0: not given */
    bool foreground;
    /* mount */
    const char *peers[NWR_OPTIONS_JOIN_MAX]; /* of --peers, split at commas */
    unsigned npeers;
    char *mount_options; /* all -o, joined with commas; NULL: none */
    const char *mountpoint;
    char *peers_text; /* what peers points into */
    char *data_text;  /* data, absolute: a daemon leaves its working directory */
    char *key_text;
};

/* Returns -1 to go on, otherwise the exit status: 0 after --help, 2 with one line of why. */
int nwr_options_parse(struct nwr_options *o, enum nwr_options_for what, int argc, char **argv);
void nwr_options_deinit(struct nwr_options *o);

#endif
