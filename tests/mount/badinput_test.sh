#!/usr/bin/env bash
# badinput_test.sh -- what cannot work ends in one clear line and a non-zero status, and nothing
# that was there is lost.
# sanitizers: yes
# long: yes
. "$(dirname "$0")/../lib/mount.sh"
need_fuse

M=$T/mnt E=$T/empty
mkdir "$E"
node n mount "$M" || {
    fail a_node_to_be_disturbed_starts "see above"
    exit 1
}
echo precious >"$M/note"
A=$(address n)

# usage NAME PATTERN cmd... -- refuse, and the status is 2.
usage() {
    refuse "$@" || return
    limited "$LIMIT" "${@:3}" >/dev/null 2>&1
    [ $? -eq 2 ] || fail "$1_with_status_2" "another status"
}

usage an_unknown_command_is_refused 'frobnicate' "$NWRFS" frobnicate
usage an_unknown_option_of_mount_is_refused 'colour' "$NWRFS" mount --colour "$E"
usage an_unknown_option_of_serve_is_refused 'colour' "$NWRFS" serve --data "$T/x" --colour
usage an_unknown_mount_option_is_refused 'no_such_thing' \
    "$NWRFS" mount --data "$T/x" -o rw,no_such_thing "$E"
usage mount_without_anything_is_refused '--data|--peers|mountpoint' "$NWRFS" mount
usage mount_without_a_mount_point_is_refused 'mountpoint|mount point' "$NWRFS" mount --data "$T/x"
usage serve_without_data_is_refused '--data' "$NWRFS" serve
usage n_beyond_seven_is_refused '--n' "$NWRFS" serve --data "$T/x" --n 8
usage n_of_zero_is_refused '--n' "$NWRFS" serve --data "$T/x" --n 0
usage w_beyond_n_is_refused '--w' "$NWRFS" serve --data "$T/x" --n 2 --w 3
usage w_that_is_no_number_is_refused '--w' "$NWRFS" serve --data "$T/x" --w two
usage ring_without_a_volume_is_refused '--data' "$NWRFS" ring list
usage ring_without_a_verb_is_refused 'missing' "$NWRFS" ring
usage a_verb_of_ring_that_is_none_is_refused 'grow' "$NWRFS" ring grow
usage ring_remove_without_an_ordinal_is_refused 'missing' "$NWRFS" ring remove --data "$T/x"
usage force_goes_with_removal_only '--force' "$NWRFS" ring n 3 --data "$T/x" --force
refuse ring_without_a_node_says_so 'no node' "$NWRFS" ring list --data "$T/x"
usage data_and_peers_together_are_refused '--peers|--data' \
    "$NWRFS" mount --data "$T/x" --peers "$A" "$E"
refuse a_listen_address_that_is_none_is_refused 'nonsense' \
    "$NWRFS" serve --data "$T/x" --listen nonsense
refuse a_peer_address_that_is_none_is_refused 'nonsense' "$NWRFS" mount --peers nonsense "$E"
equal none_of_these_made_a_data_directory "" "$(ls -d "$T/x" 2>/dev/null)"

refuse a_mount_point_that_is_not_there_is_named 'no such' \
    "$NWRFS" mount --data "$T/y" "$T/nowhere"
touch "$T/file"
refuse a_mount_point_that_is_a_file_is_named 'not a directory' \
    "$NWRFS" mount --data "$T/y" "$T/file"
mkdir "$T/full" && touch "$T/full/x"
refuse a_mount_point_that_is_not_empty_is_named 'not empty' "$NWRFS" mount --data "$T/y" "$T/full"
refuse a_mount_point_in_use_is_named 'already' "$NWRFS" mount --data "$T/y" "$M"
refuse a_data_directory_that_is_a_file_is_named "$T/file" "$NWRFS" serve --data "$T/file"
refuse a_data_directory_below_a_file_is_named "$T/file" "$NWRFS" serve --data "$T/file/x"
refuse a_port_in_use_is_named 'in use' "$NWRFS" serve --data "$T/y2" --listen "$A"
refuse a_data_directory_in_use_is_named 'in use|locked|another process' \
    "$NWRFS" mount --data "$T/n" "$E"
if [ "$(id -u)" = 0 ]; then
    mkdir "$T/closed"
    refuse a_data_directory_that_may_not_be_read_is_named 'permission' \
        setpriv --reuid 65534 --regid 65534 --clear-groups "$NWRFS" serve --data "$T/closed/d"
else
    mkdir -m 0 "$T/closed"
    refuse a_data_directory_that_may_not_be_read_is_named 'permission' \
        "$NWRFS" serve --data "$T/closed"
fi

# ---- another volume, another version, garbage ----

node other serve || fail another_volume_starts "see above"
halt other
refuse a_data_directory_of_another_volume_does_not_join 'another volume|other volume' \
    "$NWRFS" serve --data "$T/other" --join "$A"
check and_still_opens_as_what_it_was again other
check it_stops_again halt other
mkdir "$T/junk" && echo junk >"$T/junk/CURRENT" && mkdir "$T/junk/records" &&
    echo junk >"$T/junk/records/CURRENT"
refuse a_directory_of_something_else_is_not_overwritten "$T/junk" "$NWRFS" serve --data "$T/junk"
equal and_is_left_as_it_was junk "$(cat "$T/junk/CURRENT")"

# A peer that speaks garbage, says nothing, or speaks version 99.
speaker() { # PORTFILE BYTES
    python3 - "$1" "$2" <<'END' &
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(8)
with open(sys.argv[1] + ".new", "w") as f:
    f.write("127.0.0.1:%d" % s.getsockname()[1])
__import__("os").rename(sys.argv[1] + ".new", sys.argv[1])
s.settimeout(60)
keep = []
try:
    while True:
        c, _ = s.accept()
        c.sendall(bytes.fromhex(sys.argv[2]))
        keep.append(c)
except OSError:
    pass
END
    SPEAKERS+=($!)
    eventually 10 test -e "$1"
}
SPEAKERS=()
end_speakers() { kill "${SPEAKERS[@]}" 2>/dev/null; }
AT_END+=(end_speakers)
speaker "$T/garbage" 485454502f312e31203430302042616420526571756573740d0a0d0a
speaker "$T/silent" ""
# HELLO (net/wire/frame.h): 20 bytes, an array of 12; protocol versions 99 to 99, volume 7, node 5.
speaker "$T/future" 000000149c01000000006363070501a09707010302020000
refuse a_peer_that_speaks_garbage_is_named "$(cat "$T/garbage")" \
    "$NWRFS" mount --peers "$(cat "$T/garbage")" "$E"
refuse a_silent_peer_is_named "$(cat "$T/silent")" \
    "$NWRFS" mount --peers "$(cat "$T/silent")" "$E"
refuse a_peer_of_another_version_is_named 'version' \
    "$NWRFS" mount --peers "$(cat "$T/future")" "$E"
refuse joining_through_garbage_fails "$(cat "$T/garbage")" \
    "$NWRFS" serve --data "$T/z" --join "$(cat "$T/garbage")"
refuse nobody_at_the_address_is_said '127\.0\.0\.1:1' "$NWRFS" mount --peers 127.0.0.1:1 "$E"

python3 - "$A" <<'END'
import os, random, socket, struct, sys
host, port = sys.argv[1].split(":")
random.seed(3)
for i in range(60):
    s = socket.create_connection((host, int(port)))
    body = random.randbytes(random.randrange(400))
    head = struct.pack(">I", (len(body), 0, 0xffffffff, 7 << 20)[i % 4])
    try:
        s.sendall(head + body)
    except OSError:
        pass
    s.close()
END
check a_node_lives_on_after_garbage_from_strangers cat "$M/note"

usage conflicts_wants_a_path 'PATH' "$NWRFS" conflicts
usage check_wants_a_path 'PATH' "$NWRFS" check
usage check_knows_its_options 'unexpected' "$NWRFS" check --mend "$M"
refuse conflicts_of_a_missing_path_says_so 'no such' "$NWRFS" conflicts "$T/none"
refuse conflicts_elsewhere_says_that_this_is_not_nwrfs 'not on nwrfs' "$NWRFS" conflicts "$E"
refuse why_elsewhere_says_that_this_is_not_nwrfs 'not on nwrfs' "$NWRFS" why "$E"
refuse umount_of_a_plain_directory_says_so 'no nwrfs|not mounted' "$NWRFS" umount "$E"
refuse stop_of_a_directory_without_a_node_says_so "$T/full" "$NWRFS" stop --data "$T/full"
refuse status_of_a_plain_directory_says_so "$E" "$NWRFS" status "$E"
for c in serve mount umount stop status conflicts check why set get; do
    check "${c}_has_help" bash -c '"$NWRFS" "$1" --help | grep -q "usage: nwrfs $1"' - "$c"
done
check version_is_shown bash -c '"$NWRFS" --version | grep -qE "^nwrfs [0-9]"'

equal nothing_was_lost precious "$(cat "$M/note")"
check and_the_node_can_be_reopened bash -c '"$NWRFS" umount "$1"' - "$M"
check after_all_of_this again n
equal the_file_is_still_there precious "$(cat "$M/note")"
