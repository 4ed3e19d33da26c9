/* handoff.h -- between hints.c (what is kept) and handoff.c (delivering it). */
#ifndef NWR_HANDOFF_H
#define NWR_HANDOFF_H

#include "net/core/job.h"

/* Brings what is kept for target to it, until nothing is left or it fails. */
void nwr_handoff_start(struct nwr_node *n, struct nwr_job *parent, uint16_t target);

#endif
