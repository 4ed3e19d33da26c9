#!/usr/bin/env bash
# workload_test.sh -- two programs work on two mounts while nodes are cut off and killed, and keep
# a book of what they were told (lib/workload.py); in the end both mounts hold what the books say.
# long: yes
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/../lib/book.sh"
need_fuse
for p in a:1 b:2 c:3; do place "${p%:*}" "${p#*:}"; done
MA=$T/mnt.a MB=$T/mnt.b LIMIT=90
ROUNDS=${NWR_LONG:+5}

# shellcheck disable=SC2046
node a mount --n 3 --w 2 --r 2 $(listen a) "$MA" &&
    node b mount $(listen b) --join "$(address a)" "$MB" &&
    node c serve $(listen c) --join "$(address a)" || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}

books_open
for ((i = 0; i < ${ROUNDS:-1}; i++)); do
    sleep 1 && kill9 c && sleep 1 && again c && sleep 1
    part b && sleep 11 && heal b && sleep 2 # longer than the deadline of a call
    part c && sleep 2 && heal c
    part a && sleep 3 && heal a && sleep 2
done
books_close
