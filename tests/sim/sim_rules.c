/* sim_rules.c -- switches the rule that $NWR_RULE_OFF names off, where rules can be switched. */
#include "net/core/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool nwr_rule_off[NWR_RULES_COUNT];

__attribute__((constructor)) static void read_environment(void)
{
#define NAME(name, why) #name,
    static const char *const names[] = {NWR_RULES(NAME)};
    const char *off = getenv("NWR_RULE_OFF");

    for (int i = 0; off && i < NWR_RULES_COUNT; i++)
        if (strcmp(off, names[i]) == 0) {
            nwr_rule_off[i] = true;
            return;
        }
    if (off) {
        fprintf(stderr, "no rule is called %s\n", off);
        exit(2);
    }
}
