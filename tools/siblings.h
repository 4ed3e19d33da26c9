/* siblings.h -- the names of one conflict, as a mount shows them, and programs run on them.
 *
 * Ownership: values; nothing is allocated.
 */
#ifndef NWR_SIBLINGS_H
#define NWR_SIBLINGS_H

#include "nwr/base.h"

#include <limits.h>

#define NWR_SIBLINGS_LISTED 128

struct nwr_siblings {
    char name[PATH_MAX]; /* of the head */
    bool head;           /* it is there */
    uint64_t k[NWR_SIBLINGS_LISTED];
    unsigned n;
};

/* The conflict of a name, or of name.conflict.K. Returns 0, or an exit status after one line of
 * why: 2 if it is not on nwrfs or not there. n is 0 where there is no conflict. */
int nwr_siblings_read(struct nwr_siblings *s, const char *command, const char *path);
void nwr_sibling_path(const struct nwr_siblings *s, uint64_t k, char *out, size_t len);
/* K of a text; 0: it is none of these. */
uint64_t nwr_sibling_number(const struct nwr_siblings *s, const char *text);
/* "name (node 1, 2026-01-31T12:00:00Z)". */
void nwr_sibling_label(const char *path, char *out, size_t len);
/* An extended attribute as text, cut to fit; false: there is none. */
bool nwr_attribute(const char *path, const char *name, char *out, size_t len);
/* Where the K of name.conflict.K begins; NULL: it is no such name. */
const char *nwr_number_at(const char *name);
/* Runs a program of PATH, standard output to fd (-1: as ours); its exit status, 127: not found. */
int nwr_run(char *const argv[], int fd);

#endif
