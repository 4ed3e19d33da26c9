# net.sh -- nodes that can be cut from each other; source it instead of mount.sh. Root only.
#
# The script runs in a network namespace of its own, so ports are free to choose. Each node runs
# with a group id of its own: the connections it makes are marked by that, the ones it takes are
# known by its port, and a node that is parted has both dropped. Packets vanish, nobody is told.
#
#   place NAME K     before the node is started: it gets the address 127.0.0.1:700K
#   listen NAME      the arguments for that
#   part NAME, heal NAME
#   two_nodes        a and b, w=1 r=1, mounted at $MA and $MB
# shellcheck shell=bash

. "$(dirname "${BASH_SOURCE[0]}")/mount.sh"
[ "$PRIVATE" = network ] || skip_all "needs root and network namespaces"
need nft

nft -f - <<'END' 2>/dev/null || skip_all "the kernel has no nftables"
table inet cut {
    set gone { type mark; }
    set ports { type inet_service; }
    chain out {
        type filter hook output priority -150
        ct mark @gone drop
        tcp dport @ports drop
        tcp sport @ports drop
    }
}
END
declare -A PLACE=()

place() {
    PLACE[$1]=700$2
    nft insert rule inet cut out meta skgid "700$2" ct state new ct mark set "700$2"
    NODE_RUN[$1]="setpriv --regid 700$2 --clear-groups"
}

listen() { echo "--listen 127.0.0.1:${PLACE[$1]}"; }

part() {
    nft add element inet cut gone "{ ${PLACE[$1]} }"
    nft add element inet cut ports "{ ${PLACE[$1]} }"
}

heal() {
    nft delete element inet cut gone "{ ${PLACE[$1]} }"
    nft delete element inet cut ports "{ ${PLACE[$1]} }"
}

two_nodes() {
    export MA=$T/mnt.a MB=$T/mnt.b
    place a 1
    place b 2
    # shellcheck disable=SC2046
    node a mount $(listen a) --n 2 --w 1 --r 1 "$MA" &&
        node b mount $(listen b) --join 127.0.0.1:7001 "$MB" || {
        fail two_nodes_form_a_volume "see above"
        exit 1
    }
}
