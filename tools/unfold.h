/* unfold.h -- JSON for people: one line a value, nested ones indented, on standard output.
 *
 * Whatever --json prints is also what the plain form says, so the two cannot disagree.
 */
#ifndef NWR_UNFOLD_H
#define NWR_UNFOLD_H

void nwr_unfold(const char *json);

#endif
