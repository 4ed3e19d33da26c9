/* log.h -- lines for operators: `2026-01-31T12:00:00.000Z level=warn event=peer_down peer=3 ...`.
 *
 * One log a process. Without nwr_log_open it goes to standard error. A file rotates at 10 MiB
 * (log, log.1, log.2) and standard error follows it, so that panics land there too. More than
 * NWR_LOG_RATE lines in a second are counted instead of written.
 *
 * Thread: the loop's only.
 */
#ifndef NWR_LOG_H
#define NWR_LOG_H

#include "nwr/base.h"

#define NWR_LOG_RATE 200
#define NWR_LOG_FILE_BYTES (10 << 20)

/* Appends to path from now on. tee: also to the standard error there is now (foreground);
 * otherwise standard error becomes the log. Returns an errno, 0 when open. */
int nwr_log_open(const char *path, bool tee);
/* format starts after the level: "event=peer_down peer=%u". */
void nwr_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void nwr_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void nwr_log_close(void);

#endif
