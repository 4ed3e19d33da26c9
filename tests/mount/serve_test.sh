#!/usr/bin/env bash
# serve_test.sh -- peer daemons: start, join, stop, restart on the same port, and bad input.
# sanitizers: yes
# long: yes
. "$(dirname "$0")/../lib/mount.sh"

status() { "$NWRFS" status --data "$T/$1" --json; }
members_up() { [ "$(status "$1" | jq '[.members[] | select(.state == "up")] | length')" = "$2" ]; }
# state AT OF WORD -- AT says so of the member with the ordinal OF.
state() { [ "$(status "$1" | jq -r ".members[] | select(.ordinal == $2) | .state")" = "$3" ]; }
since() { status "$1" | jq ".members[] | select(.ordinal == $2) | .since_s"; }
exit_of() { "$@" >"$OUT" 2>&1; echo $?; }

# A frame [1, 0, 0, 0, 0, MIN, MAX, volume, node, ordinal, address, info] as hello.c sends it.
cat >"$T/fake.py" <<'PY'
import socket, struct, sys

def hello(low, high):
    info = b'\x97' + b'\x01' * 7
    body = b'\x9c\x01\0\0\0\0' + bytes([low, high]) + b'\0\x05\0' + b'\xa0' + info
    return struct.pack('>I', len(body)) + body

def text_of(data):
    return data.decode('latin-1')

mode, where = sys.argv[1], sys.argv[2]
words = {'garbage': b'220 mail.example.org ESMTP\r\n' * 3, 'version': hello(90, 91)}[mode]
if where == 'listen':
    s = socket.socket()
    s.bind(('127.0.0.1', 0))
    s.listen(8)
    open(sys.argv[3], 'w').write('127.0.0.1:%d' % s.getsockname()[1])
    while True:
        c, _ = s.accept()
        c.sendall(words)
        try:
            while c.recv(4096):
                pass
        except OSError:
            pass
else:
    host, port = where.rsplit(':', 1)
    c = socket.create_connection((host, int(port)), 10)
    c.settimeout(20)
    c.sendall(words)
    data = b''
    while True:
        try:
            piece = c.recv(4096)
        except ConnectionResetError:
            break
        if not piece:
            break
        data += piece
    print(text_of(data))
PY

fake_server() { # MODE -- leaves the address in $FAKE
    rm -f "$T/fake.address"
    python3 "$T/fake.py" "$1" listen "$T/fake.address" &
    FAKE_PID=$!
    eventually 10 test -s "$T/fake.address"
    FAKE=$(cat "$T/fake.address")
}
fake_end() {
    kill "$FAKE_PID"
    wait "$FAKE_PID" 2>/dev/null
}

# ---- three daemons ------------------------------------------------------------------------------

node a serve --n 3 --w 2 --r 2 && ok a_new_directory_becomes_a_volume ||
    fail a_new_directory_becomes_a_volume
halt a && cp -a "$T/a" "$T/a.alone"
again a
node b serve --join "$(address a)" && ok a_second_node_joins || fail a_second_node_joins
node c serve --join "$(address b)" && ok a_third_joins_through_any_member ||
    fail a_third_joins_through_any_member
for n in a b c; do
    eventually 10 members_up $n 3 && ok "$n sees three members up" ||
        fail "$n sees three members up" "$(status $n)"
done
equal ordinals_are_given_in_order "1 2 3" "$(status c | jq -r '[.members[].ordinal] | join(" ")')"
equal status_says_n_w_r "3 2 2" "$(status b | jq -r '"\(.n) \(.w) \(.r)"')"
volumes=$(for n in a b c; do status $n | jq -r .volume; done | sort -u | wc -l)
equal all_are_of_one_volume 1 "$volumes"
equal the_admin_socket_is_private 600 "$(stat -c %a "$T/a/admin.sock")"
check status_prints_a_table sh -c "'$NWRFS' status --data '$T/a' | grep -q '$(address c)'"

# ---- stop, restart, kill ------------------------------------------------------------------------

was=$(address c) pid=$(node_pid c)
check stop_works "$NWRFS" stop --data "$T/c"
gone "$pid" && ok stop_returns_when_the_process_is_gone ||
    fail stop_returns_when_the_process_is_gone "pid $pid"
eventually 10 members_up a 2 && ok a_stopped_member_is_down || fail a_stopped_member_is_down
again c && equal it_comes_back_on_the_same_port "$was" "$(address c)"
eventually 10 members_up a 3 && eventually 10 members_up c 3 &&
    ok it_finds_its_peers_by_itself || fail it_finds_its_peers_by_itself "$(status c)"
# Asked for, and nobody comes: --wait waits, until whom it asks is no more.
"$NWRFS" ring replace 3 127.0.0.1:9 --wait --data "$T/b" >"$T/waits" 2>&1 &
waits=$!
is_decided() { [ "$("$NWRFS" ring list --data "$T/a" --json | jq .replaced)" = 3 ]; }
eventually 10 is_decided && eventually 10 grep -q 'start the node there' "$T/waits" ||
    fail a_replacement_is_expected "$(cat "$T/waits")"
kill9 b
wait $waits
equal waiting_for_a_change_does_not_end_well_when_the_node_asked_is_killed "1 1" \
    "$? $(grep -c 'goes on by itself' "$T/waits")"
eventually 5 state a 2 suspect && ok a_killed_member_is_suspect || fail a_killed_member_is_suspect
eventually 20 state a 2 down && eventually 5 state c 2 down && ok a_killed_member_is_down ||
    fail a_killed_member_is_down "$(status a) $(status c)"
[ "$(since a 2)" -lt "$(since a 3)" ] && ok status_says_since_when ||
    fail status_says_since_when "$(status a)"
again b && eventually 10 members_up b 3 && ok a_killed_member_comes_back ||
    fail a_killed_member_comes_back
check a_used_directory_may_name_a_member_again sh -c \
    "'$NWRFS' stop --data '$T/b' && '$NWRFS' serve --data '$T/b' --join '$(address a)'"
remember b
pid=$(node_pid c)
kill -STOP "$pid"
refuse status_of_a_node_that_says_nothing_fails "$T/c.*does not answer" \
    "$NWRFS" status --data "$T/c"
eventually 20 state a 3 down && eventually 5 state b 3 down && ok a_silent_member_is_down ||
    fail a_silent_member_is_down "$(status a)"
kill -CONT "$pid"
eventually 15 members_up a 3 && eventually 15 members_up c 3 &&
    ok a_member_that_wakes_up_is_back || fail a_member_that_wakes_up_is_back "$(status c)"
pid=$(node_pid b)
kill -TERM "$pid"
eventually 20 gone "$pid" && ok sigterm_ends_a_node || fail sigterm_ends_a_node
halt c
again a >/dev/null 2>&1 && fail a_directory_in_use_is_refused "it started twice" ||
    ok a_directory_in_use_is_refused
halt a
START_LIMIT=60 again a && grep -qi 'reachable' "$T/.start.a" &&
    ok a_missing_quorum_is_one_warning_line || fail a_missing_quorum_is_one_warning_line
equal the_warning_is_one_line 1 "$(grep -c . "$T/.start.a")"
again b && again c && eventually 10 members_up a 3 && ok all_start_one_after_another ||
    fail all_start_one_after_another "$(status a)"

# A copy of its disk from before anybody joined: it knows nobody to ask.
halt a && rm -rf "$T/a" && mv "$T/a.alone" "$T/a"
again a
eventually 20 members_up a 3 && ok a_disk_from_before_the_others_came_is_told_of_them ||
    fail a_disk_from_before_the_others_came_is_told_of_them "$(status a)"

# Killed before it has heard of any member: it must not take itself for the first of a new volume.
was=$(address c)
halt c
"$NWRFS" serve -f --data "$T/j" --join "$was" >"$T/.start.j" 2>&1 &
pid=$!
eventually 10 test -s "$T/j/address" || fail a_node_that_is_to_join_binds
kill -KILL "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
refuse started_again_without_join_it_asks_there_still "$was.*as told before" \
    "$NWRFS" serve --data "$T/j"
again c
node j serve && equal and_joins_when_somebody_answers "$(status a | jq -r .volume)" \
    "$(status j | jq -r .volume)" || fail and_joins_when_somebody_answers
check and_leaves_again "$NWRFS" ring remove "$(status j | jq .ordinal)" --data "$T/a" --wait

# ---- bad input ----------------------------------------------------------------------------------

equal an_unknown_option_exits_2 2 "$(exit_of "$NWRFS" serve --data "$T/x" --fast)"
refuse an_unknown_option_is_one_line "fast" "$NWRFS" serve --data "$T/x" --fast
equal a_key_that_is_not_there_exits_1 1 "$(exit_of "$NWRFS" serve --data "$T/x" --key "$T/k")"
refuse data_is_wanted "data" "$NWRFS" serve
touch "$T/file"
refuse a_file_is_no_data_directory "$T/file" "$NWRFS" serve --data "$T/file"
refuse no_directory_can_be_made_there "$T/file/x" "$NWRFS" serve --data "$T/file/x"
if [ "$(id -u)" = 0 ]; then
    mkdir -m 0000 "$T/closed"
    chmod 0711 "$T"
    refuse an_unreadable_data_directory_is_named "$T/closed" \
        setpriv --reuid 65534 --clear-groups "$NWRFS" serve --data "$T/closed"
else
    mkdir -m 0000 "$T/closed"
    refuse an_unreadable_data_directory_is_named "$T/closed" "$NWRFS" serve --data "$T/closed"
fi
refuse a_port_in_use_is_named "$(address a).*in use" \
    "$NWRFS" serve --data "$T/x" --listen "$(address a)"
refuse only_loopback_without_a_key "without a key" "$NWRFS" serve --data "$T/x" --listen 0.0.0.0:0
refuse an_address_has_a_port "ADDRESS:PORT" "$NWRFS" serve --data "$T/x" --listen 127.0.0.1
refuse n_is_bounded "n" "$NWRFS" serve --data "$T/x" --n 99
refuse nobody_to_join_is_said "127.0.0.1:1.*refused" \
    "$NWRFS" serve --data "$T/x" --join 127.0.0.1:1
refuse nothing_to_stop_is_said "$T/x.*no node" "$NWRFS" stop --data "$T/x"
node other serve
halt other
refuse another_volume_is_refused "volume" \
    "$NWRFS" serve --data "$T/other" --join "$(address a)"
again other && ok its_own_volume_is_still_whole || fail its_own_volume_is_still_whole

fake_server garbage
refuse a_peer_that_speaks_garbage_is_said "$FAKE.*protocol" \
    "$NWRFS" serve --data "$T/x" --join "$FAKE"
fake_end
fake_server version
refuse a_peer_of_another_version_is_said "protocol version 90 to 91" \
    "$NWRFS" serve --data "$T/x" --join "$FAKE"
fake_end
check garbage_is_hung_up_on python3 "$T/fake.py" garbage "$(address a)"
python3 "$T/fake.py" version "$(address a)" >"$T/said"
grep -q "protocol version 90 to 91" "$T/said" && ok another_version_is_told_why ||
    fail another_version_is_told_why "$(cat "$T/said")"
grep -q "event=refused.*protocol version 90" "$T/a/log" && ok the_log_says_so_too ||
    fail the_log_says_so_too
members_up a 3 && ok the_node_goes_on_after_all_that || fail the_node_goes_on_after_all_that
for n in a b c other; do halt $n; done
equal a_stopped_node_leaves_no_socket 0 "$(find "$T" -name admin.sock | wc -l)"
