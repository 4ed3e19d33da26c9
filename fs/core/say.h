/* say.h -- text into bytes: values of attributes, lines for operators.
 *
 * Pure. Ownership: nwr_out's. Thread: the loop.
 */
#ifndef NWR_FS_SAY_H
#define NWR_FS_SAY_H

#include "nwr/pack.h"

void nwr_say(struct nwr_out *o, const char *text);
/* Decimal, with zeros in front up to width. */
void nwr_say_number(struct nwr_out *o, uint64_t v, int width);

#endif
