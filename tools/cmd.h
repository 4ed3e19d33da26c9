/* cmd.h -- the subcommands of nwrfs: one file tools/cmd_NAME.c each.
 *
 * A command gets its own argv (argv[0] is its name) and returns the exit status: 0 done,
 * 1 failed, 2 usage or not in this version. It prints its own --help. An error is one line:
 * "nwrfs: WHAT: WHERE: WHY; what to do" (nwr_cmd_fail, nwr_cmd_usage).
 *
 * References are weak: a command whose file is not linked in is "not in this version".
 */
#ifndef NWR_CMD_H
#define NWR_CMD_H

#include "nwr/base.h"

#define NWR_VERSION "0.1"

/* name, symbol, summary */
#define NWR_COMMANDS(X)                                                                            \
    X("serve", serve, "run a peer daemon")                                                         \
    X("mount", mount, "mount a volume")                                                            \
    X("umount", umount, "unmount, and wait until everything is written")                           \
    X("stop", stop, "end the node of a data directory, unmounting first")                          \
    X("status", status, "members, quorums and counters of a node")                                 \
    X("conflicts", conflicts, "list the conflicts below a path")                                   \
    X("why", why, "which replica holds what of a path")                                            \
    X("set", set, "set policies of a directory")                                                   \
    X("get", get, "show the policies of a directory")                                              \
    X("diff", diff, "compare the siblings of a conflict")                                          \
    X("resolve", resolve, "resolve a conflict")                                                    \
    X("ring", ring, "list or change the members")                                                  \
    X("repair", repair, "compare replicas now")                                                    \
    X("scrub", scrub, "verify everything stored")                                                  \
    X("check", check, "check a tree")                                                              \
    X("keygen", keygen, "make a volume key")

#define NWR_COMMAND_DECLARE(name, symbol, summary)                                                 \
    int nwr_cmd_##symbol(int argc, char **argv) __attribute__((weak));
NWR_COMMANDS(NWR_COMMAND_DECLARE)
#undef NWR_COMMAND_DECLARE

/* Print "nwrfs: ..." on standard error and return 1, or 2. */
int nwr_cmd_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int nwr_cmd_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
