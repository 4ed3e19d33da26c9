# net.sh -- nodes that can be cut from each other; source it instead of mount.sh. Root only.
#
# The script runs in a network namespace of its own, with a bridge; each node gets a network
# behind that bridge. A parting is a link taken down: packets vanish, nobody is told.
#
#   place NAME K     before the node is started: its address is 10.77.0.K:7000
#   listen NAME      the arguments for that
#   part NAME, heal NAME
# shellcheck shell=bash

if [ -z "${NWR_IN_NETWORK:-}" ] && [ "$(id -u)" = 0 ]; then
    if unshare -n true 2>/dev/null; then
        NWR_IN_NETWORK=1 exec unshare -n bash "$0" "$@"
    fi
fi
. "$(dirname "${BASH_SOURCE[0]}")/mount.sh"
[ -n "${NWR_IN_NETWORK:-}" ] || skip_all "needs root and network namespaces"
unset NWR_IN_NETWORK
need ip

ip link set lo up
ip link add bridge0 type bridge 2>/dev/null || skip_all "the kernel has no bridge"
ip link set bridge0 up
declare -A PLACE=()

place() {
    PLACE[$1]=$2
    touch "$T/net.$2"
    unshare --net="$T/net.$2" ip link set lo up
    ip link add "v$2" type veth peer name eth0 netns "$T/net.$2"
    nsenter --net="$T/net.$2" ip addr add "10.77.0.$2/24" dev eth0
    nsenter --net="$T/net.$2" ip link set eth0 up
    ip link set "v$2" master bridge0
    ip link set "v$2" up
    NODE_RUN[$1]="nsenter --net=$T/net.$2"
}

listen() { echo "--listen 10.77.0.${PLACE[$1]}:7000"; }
part() { ip link set "v${PLACE[$1]}" down; }
heal() { ip link set "v${PLACE[$1]}" up; }

# The files of the namespaces are mounts below $T.
drop_networks() {
    local k
    for k in "${PLACE[@]}"; do umount "$T/net.$k" 2>/dev/null; done
}
AT_END+=(drop_networks)
