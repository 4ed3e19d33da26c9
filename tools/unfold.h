/* unfold.h -- JSON for people: values as lines, arrays of objects as tables.
 *
 * Whatever --json prints is also what the plain form says, so the two cannot disagree, and a
 * field that a node adds is shown without a change here. Prints on standard output.
 */
#ifndef NWR_UNFOLD_H
#define NWR_UNFOLD_H

/* Text that is no JSON object is printed as it is. */
void nwr_unfold(const char *json);

#endif
