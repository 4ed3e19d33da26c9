/* unfold.c -- see unfold.h. */
#include "tools/unfold.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* {"a":1,"b":[{"c":2}]} becomes lines of "a: 1", nested ones indented. */
void nwr_unfold(const char *json)
{
    int depth = 0;
    bool quoted = false, fresh = true;

    for (const char *p = json; *p; p++) {
        if (*p == '"' && (p == json || p[-1] != '\\')) {
            quoted = !quoted;
            continue;
        }
        if (!quoted && strchr("{}[],\n", *p)) {
            depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
            if (!fresh)
                putchar('\n');
            fresh = true;
            continue;
        }
        if (!quoted && *p == ' ')
            continue;
        if (fresh)
            printf("%*s", depth > 1 ? 2 * (depth - 1) : 0, "");
        fresh = false;
        putchar(*p);
        if (!quoted && *p == ':')
            putchar(' ');
    }
    if (!fresh)
        putchar('\n');
}
