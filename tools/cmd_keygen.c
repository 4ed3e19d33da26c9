/* cmd_keygen.c -- `nwrfs keygen`: a file with a new volume key. */
#include "net/tls/keys.h"
#include "tools/cmd.h"

#include <stdio.h>

static int help(void)
{
    printf(
        "usage: nwrfs keygen FILE\n\n"
        "Makes FILE, mode 0600, with a new volume key, and prints the id by which logs name it.\n"
        "Copy FILE to every machine of the volume and give it with --key. FILE must not exist.\n"
        "\n"
        "To change the key while everything runs, give every node and mount a file with both\n"
        "keys and send it SIGHUP, three times: old new, then new old, then new alone:\n"
        "    cat old new > key;  cat new old > key;  cat new > key\n"
        "The first key is offered, each is accepted. Go on when every node's log has "
        "event=rekey.\n");
    return 0;
}

int nwr_cmd_keygen(int argc, char **argv)
{
    char id[NWR_KEY_ID_MAX], text[512];

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return help();
    if (argc != 2 || argv[1][0] == '-')
        return nwr_cmd_usage("keygen: one FILE is wanted; see nwrfs keygen --help");
    if (nwr_keys_generate(argv[1], id, text, sizeof(text)) != NWR_OK)
        return nwr_cmd_fail("%s", text);
    printf("%s: key %s\n", argv[1], id);
    return 0;
}
