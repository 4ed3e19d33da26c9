# cluster.sh -- nodes as machines: each in a network namespace of its own, on a bridge that only
# this script sees; source it instead of mount.sh. Root only.
#
# The script runs in private network and mount namespaces and the names of its machines live on a
# tmpfs over /run/netns, so nothing is left of them when it ends. Addresses leave loopback, hence
# the volume key. Packets that are cut vanish, nobody is told.
#
#   machine NAME K        10.77.0.K for node NAME, before the node is started
#   listen NAME           the arguments for that, with the key
#   cut_off FROM TO       packets from FROM do not reach TO (one way)
#   part NAME, heal NAME  cut off from all, both ways; heal also ends every cut towards NAME
#   freeze NAME, thaw NAME      SIGSTOP and SIGCONT
# shellcheck shell=bash

. "$(dirname "${BASH_SOURCE[0]}")/mount.sh"
[ "$PRIVATE" = network ] || skip_all "needs root and network namespaces"
need nft

mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns || skip_all "no private /run/netns"
ip link add bridge type bridge && ip link set bridge up || skip_all "the kernel has no bridges"
"$NWRFS" keygen "$T/key" || fail keygen "no key"
declare -A PLACE=()

inside() { # NAME cmd...
    nsenter --net="/run/netns/$1" "${@:2}"
}

machine() {
    PLACE[$1]=10.77.0.$2
    ip netns add "$1" || return 1
    ip link add "to-$1" type veth peer name eth0 netns "$1" || return 1
    ip link set "to-$1" master bridge up
    inside "$1" ip link set lo up
    inside "$1" ip addr add "10.77.0.$2/24" dev eth0
    inside "$1" ip link set eth0 up
    inside "$1" nft -f - <<'END' || skip_all "the kernel has no nftables"
table inet cut {
    set from { type ipv4_addr; }
    chain in {
        type filter hook input priority -150
        ip saddr @from drop
    }
}
END
    NODE_RUN[$1]="nsenter --net=/run/netns/$1"
}

listen() { echo "--key $T/key --listen ${PLACE[$1]}:7000"; }

cut_off() { inside "$2" nft add element inet cut from "{ ${PLACE[$1]} }"; }

part() {
    local other
    for other in "${!PLACE[@]}"; do
        [ "$other" = "$1" ] || { cut_off "$other" "$1" && cut_off "$1" "$other"; }
    done
}

heal() {
    local other
    inside "$1" nft flush set inet cut from
    for other in "${!PLACE[@]}"; do
        [ "$other" = "$1" ] ||
            inside "$other" nft delete element inet cut from "{ ${PLACE[$1]} }" 2>/dev/null
    done
}

freeze() { kill -STOP "$(node_pid "$1")"; }
thaw() { kill -CONT "$(node_pid "$1")"; }
