/* keys.h -- the volume key and the file that holds it (DESIGN 14).
 *
 *     # lines with a # and empty lines are skipped
 *     nwrfs-key-1 <64 hexadecimal digits: 32 bytes of the system's randomness>
 *     nwrfs-key-1 <a second key, while keys are being changed>
 *
 * A connection that is made offers the first key; one that is taken may offer any key of the
 * file. So keys are changed without a moment in which two nodes have none in common: (old, new)
 * on every node, then (new, old), then (new) alone; `cat` joins and orders files.
 *
 * A key has an id, 16 digits that its bytes determine and that tell nothing about them: what is
 * sent to name the key, and what logs and people see of it.
 *
 * Ownership: values; nwr_keys_deinit wipes them. Thread: any. Allocates: no.
 */
#ifndef NWR_KEYS_H
#define NWR_KEYS_H

#include "nwr/base.h"
#include "nwr/err.h"

enum {
    NWR_KEY_BYTES = 32,
    NWR_KEY_ID_MAX = 17, /* with the final 0 */
    NWR_KEYS_MAX = 2,
    NWR_KEY_FILE_BYTES = 4096,
    NWR_KEYS_WHY_MAX = 100
};

struct nwr_secret {
    uint8_t bytes[NWR_KEY_BYTES];
    char id[NWR_KEY_ID_MAX];
};

struct nwr_keys {
    unsigned n;
    struct nwr_secret key[NWR_KEYS_MAX];
};

/* Returns NULL, or what is wrong ("line 2: ...") in why, and then out is untouched. */
const char *nwr_keys_parse(struct nwr_keys *out, const char *text, size_t len,
                           char why[NWR_KEYS_WHY_MAX]);

/* A file that group or others may open, or that is another user's, is refused (E_ACCESS). text:
 * one line when it fails, "key: FILE: WHY; what to do"; then out is untouched. */
enum nwr_err nwr_keys_load(struct nwr_keys *out, const char *path, char *text, size_t n);

/* Makes FILE, mode 0600, with one new key; E_EXIST when something has that name. */
enum nwr_err nwr_keys_generate(const char *path, char id[NWR_KEY_ID_MAX], char *text, size_t n);

/* NULL when the file has no key of that id. */
const struct nwr_secret *nwr_keys_find(const struct nwr_keys *keys, const char *id, size_t len);
void nwr_keys_deinit(struct nwr_keys *keys);

#endif
