/* rules.h -- rules of DESIGN 3, 5, 6 and 7 that can be switched off, to see what goes wrong.
 *
 * `NWR_RULE(X)` stands where rule X is kept. In the product it is true and leaves no trace; built
 * with NWR_RULES_SWITCH (Makefile, "rules") it asks a table that tests/sim/sim_rules.c fills, and
 * tests/sim/rules.sh says which scenario then fails. A rule that nothing needs is not a rule.
 */
#ifndef NWR_RULES_H
#define NWR_RULES_H

#include <stdbool.h>

/* name, what holds with it */
#define NWR_RULES(X)                                                                               \
    X(W_OF_N, "a write is answered when W have it")                                                \
    X(BATCH_WHOLE, "a batch that is refused leaves nothing")                                       \
    X(BATCH_ONE_WRITE, "and one that is taken is whole, wherever its node dies")                   \
    X(GOES_ON, "and goes on to the rest")                                                          \
    X(LEVEL, "a replica counts when it has it at the level asked for")                             \
    X(R_OF_N, "a read is answered by R, never by the first that knows nothing")                    \
    X(ONE_IN_FULL, "one answers with records, the others with a digest of them")                   \
    X(ALIKE, "answers that differ are merged")                                                     \
    X(LOUD_ALIKE, "where they differ nothing is left out")                                         \
    X(LOUD_SUM, "and what is left out counts for that")                                            \
    X(WRITE_BACK, "what fewer than W hold is written back before it is shown")                     \
    X(SIBLINGS_AGAIN, "siblings of answers that differ are asked for once more")                   \
    X(OWN_BEHIND, "who could not store a write does not answer its mount alone")                   \
    X(READ_REPAIR, "replicas found to be behind get what they lack")                               \
    X(SAME_WRITE, "a retry carries the write_id of the first try")                                 \
    X(IN_DOUBT, "E_HOSTDOWN is said only where nothing was sent")                                  \
    X(KNOCK, "and who is down is dialed before that")                                              \
    X(ASK_ALL, "a silent replica is not waited for while others answer")                           \
    X(SPARED, "who answers late is not asked what others answer as well")                          \
    X(NEXT_COORDINATOR, "a silent coordinator is replaced by the next")                            \
    X(DEADLINE, "every request ends")                                                              \
    X(STANDS_IN, "the next nodes take what a replica cannot")                                      \
    X(STAND_IN_COORDINATES, "and coordinate where nobody else can")                                \
    X(STRICT, "a stand-in counts only where it was asked for")                                     \
    X(SPARES_YIELD, "nodes that stand in do not outvote a replica")                                \
    X(HINT_ROOM, "who has no room for a hint does not count")                                      \
    X(HINT_BOUND, "nor is one kept then")                                                          \
    X(HINT_KEPT, "who is away gets a hint")                                                        \
    X(HINT_OUTLIVES, "hints outlive who keeps them")                                               \
    X(HINT_ACTOR, "dots given while standing in are of an actor that ends with them")              \
    X(HINT_UNTIL_DISK, "a hint ends when its target has it on disk")                               \
    X(HINT_ORDER, "what was missed first is brought first")                                        \
    X(HINT_PAUSES, "and leaves room for other work")                                               \
    X(HINT_LATE, "who was sent a write and did not answer gets a hint")                            \
    X(HINT_FOLLOWS, "a hint for who holds the group no more goes to those who do")                 \
    X(STAND_IN_LISTS, "while joint a stand-in counts in the lists of whom it stands in for")       \
    X(HAND_OVER, "what this node stood in for is handed over before it is erased")                 \
    X(HAND_OVER_DISK, "and is on the disks of a quorum then")                                      \
    X(HINTS_FIRST, "nothing is erased that a hint still names")                                    \
    X(LEAVER_HANDS_OVER, "who leaves the ring is waited for until it has handed over")             \
    X(DEAD_LEAVER, "but not if it is down")                                                        \
    X(LEAVER_TAKES_NONE, "and takes no more writes for others")                                    \
    X(ERASED, "what leaves a node is erased there")                                                \
    X(QUORUM_FITS, "a quorum of fewer members than it asks for is all of them")                    \
    X(MAJORITY_OF_M, "majorities of N are majorities of fewer members")                            \
    X(MOVES_LEAST, "a change moves only what it must")                                             \
    X(WEIGHTED, "a member holds by its weight")                                                    \
    X(SEAT, "who replaces another holds what that held")                                           \
    X(CLOCK_AHEAD, "a clock far ahead is not followed")                                            \
    X(CLOCK_LATER, "but a write is later than what its writer had seen")                           \
    X(SET_BACK, "a node set back to an older copy of its disk gives no inode number again")        \
    X(ORDINAL_SPENT, "an ordinal is never given twice")                                            \
    X(GIVEN_UP, "a change is given up when who joins falls silent")                                \
    X(FORCE, "by force those decide who are left")                                                 \
    X(PROMISE_KEPT, "no promise below a promise")                                                  \
    X(ACCEPT_KEPT, "nothing is accepted below a promise")                                          \
    X(MAJORITY, "any two quorums of a register meet")                                              \
    X(NEWEST_COUNTS, "of accepted values that of the highest ballot counts")                       \
    X(TAKEN_OVER, "what was accepted is proposed again")                                           \
    X(REGISTER_STORED, "promises are stored before they are given")                                \
    X(REGISTER_EPOCH, "a register of an older ring takes nothing")                                 \
    X(BALLOT_ONCE, "two proposers never share a ballot")                                           \
    X(JOINER_NO_VOTE, "who only joins decides nothing")                                            \
    X(OLD_EPOCH, "messages of an older ring are refused")                                          \
    X(NEW_EPOCH, "messages of a newer ring wait until that is adopted")                            \
    X(RING_STORED, "a ring is stored before it is adopted")                                        \
    X(JOINT_W, "while joint W of the list to come must have a write too")                          \
    X(JOINT_R, "while joint R of the list to come must answer too")                                \
    X(HOLDERS_COORDINATE, "who only is to hold a group judges no guard of it")                     \
    X(PLACED_AGAIN, "a write under way counts by the ring there is when it is answered")           \
    X(BARRIER, "a ring settles when so many refuse the older one that no quorum is left")          \
    X(ALL_COPIED, "a ring settles when all is copied")                                             \
    X(COPY_QUORUM, "a copy is of enough replicas to meet every write")                             \
    X(COPY_ALL_UP, "and of all that are there: one may have more than W promised")                 \
    X(COPY_SYNCED, "and is on disk when that is said")                                             \
    X(COPY_PACED, "and leaves room for other work")                                                \
    X(PROBE, "members ask each other whether they are there")                                      \
    X(PROBE_HELPED, "others are asked to ask")                                                     \
    X(SUSPECT_FIRST, "who is silent is suspected first")                                           \
    X(SUSPECT_TOLD, "and told so in all it gets")                                                  \
    X(OUTBID, "and says that it is there")                                                         \
    X(ACCUSER_ALONE, "an accuser alone waits longer")                                              \
    X(LOCAL_HEALTH, "who is not well itself waits longer")                                         \
    X(LATE_WAKE, "who was stopped does not take that for the silence of others")                   \
    X(NEWS_TOLD_ON, "news is told on")                                                             \
    X(GOSSIP_TEACHES, "who has an older ring is taught")                                           \
    X(COMPARED, "replicas are compared")                                                           \
    X(CELLS, "bytes follow the difference")                                                        \
    X(RANGES, "and ranges where nearly all differ")                                                \
    X(BOTH_WAYS, "both get what they lack")                                                        \
    X(PAUSES, "and leave room for other work")                                                     \
    X(DIGEST_KEPT, "the digest of a group changes with its records")                               \
    X(DIGEST_SHOWN, "and is of what they show, whatever they have forgotten")                      \
    X(BLOCKS_FIRST, "a replica refuses a version whose blocks it lacks")                           \
    X(SUPPLIED, "and is given them")                                                               \
    X(BLOCK_ELSEWHERE, "a block that is not here is fetched")                                      \
    X(HEDGED, "from the next, where one is silent")                                                \
    X(LOST_TOLD, "and where it is lost its record goes on with word of that")                      \
    X(KEPT_SETTLED, "a write over a version not settled goes on with its bases")                   \
    X(KEPT_SECOND, "and one over a settled one with its first base too")                           \
    X(KEPT_SINGLE, "in a conflict bases go on unchanged")                                          \
    X(KEPT_DIGEST, "replicas compare what is kept in a conflict")                                  \
    X(KEPT_DROPPED, "a version alone and below the floor keeps nothing")                           \
    X(KEPT_BLOCKS, "what is kept counts its blocks")                                               \
    X(KEPT_WAITS, "no write waits for what is kept")                                               \
    X(CLOCK_GIVEN, "a replica has what it gave a dot")                                             \
    X(CLOCK_EQUAL, "a clock is joined only where both hold the same")                              \
    X(CLOCK_LOST, "an unreadable record ends what its replica claims to have")                     \
    X(FLOOR_OF_ALL, "a floor takes every member, who is away too")                                 \
    X(FLOOR_LEAST, "it is the least of their clocks")                                              \
    X(FLOOR_ALONE, "where there is one member it rises all the same")                              \
    X(TOMBSTONES_GO, "what it covers is forgotten")                                                \
    X(FLOOR_SETTLED, "it rises in a settled ring")                                                 \
    X(CONFIRM_DISK, "what is confirmed is on disk")                                                \
    X(CONFIRM_FORGOTTEN, "and counts no more once its member was away")                            \
    X(CONFIRM_RING, "nor under another ring")                                                      \
    X(FLOOR_COVERED, "a floor is taken only by a replica whose clock covers it")                   \
    X(FLOOR_REFUSES, "what is below the floor and not here is not taken again")                    \
    X(BEHIND_DROPS, "who is behind a floor drops what others dropped")                             \
    X(READ_FLOORS, "a read takes floors into account")                                             \
    X(UNKNOWN, "an unreadable record is unknown, never empty")                                     \
    X(SCRUB_DUE, "what nobody reads is read again")                                                \
    X(SCRUB_COMPARES, "what rotted is fetched from other replicas")                                \
    X(SCRUB_FETCHES, "blocks too")                                                                 \
    X(SCRUB_QUORUM, "a group is in doubt until it met every write again")                          \
    X(SCRUB_SOON, "what a request met is looked at soon")                                          \
    X(SCRUB_RESTS, "but not again and again where it stays")                                       \
    X(FORGET_ALL, "it goes only where every other replica says that it has none")                  \
    X(FORGET_UNREAD, "nor where one cannot read it")                                               \
    X(FORGOTTEN, "an unreadable record that nobody has goes")                                      \
    X(DOUBT, "nor is a group of which records may have been lost")                                 \
    X(FOLD_ALL, "a record folds when all that its context names is below the floor")               \
    X(FOLD_PAST, "pasts fold with it")                                                             \
    X(RETIRED_STAYS, "retired write_ids do not")                                                   \
    X(REMOVAL_DOT, "a removal that writes nothing has a dot")

#define NWR_RULE_NAME(name, why) NWR_RULE_##name,
enum nwr_rule {
    NWR_RULES(NWR_RULE_NAME) NWR_RULES_COUNT
};

extern bool nwr_rule_off[NWR_RULES_COUNT]; /* only where they can be switched */
#ifdef NWR_RULES_SWITCH
#define NWR_RULE(name) (!nwr_rule_off[NWR_RULE_##name])
#else
#define NWR_RULE(name) true
#endif

#endif
