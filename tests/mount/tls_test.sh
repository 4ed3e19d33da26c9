#!/usr/bin/env bash
# tls_test.sh -- the volume key: who has it takes part, everybody else is refused and both sides
# say why; and the key is changed while people work.
. "$(dirname "$0")/../lib/net.sh"
need_fuse
need openssl
need python3
need jq

WAY=$ROOT/tests/lib/tls_way.py
OTHERS=()
end_others() { kill "${OTHERS[@]}" 2>/dev/null; }
AT_END+=(end_others)
mkfifo "$T/quiet" && exec 8<>"$T/quiet" # an input that neither says anything nor ends
beside() { # cmd... -- runs until the end of the script
    "$@" >"$T/.beside.${#OTHERS[@]}" 2>&1 <&8 &
    OTHERS+=($!)
}
id_of() { sed -n 's/^# nwrfs volume key \([0-9a-f]*\):.*/\1/p' "$1"; }
hex_of() { sed -n 's/^nwrfs-key-1 //p' "$1"; }
logged() { eventually 10 grep -qE "$2" "$T/$1/log"; }
says() { # NAME NODE PATTERN
    if logged "$2" "$3"; then ok "$1"; else fail "$1" "no line of $2's log matches $3"; fi
}
status() { "$NWRFS" status --data "$T/$1" --json; }
members_up() { [ "$(status "$1" | jq '[.members[] | select(.state == "up")] | length')" = "$2" ]; }
keys_in_use() { status "$1" | jq -r '[.members[].key] | unique | join(",")'; }
all_use() { [ "$(keys_in_use "$1")" = "$2" ]; }

# ---- keygen and key files -----------------------------------------------------------------------

K1=$T/k1 K2=$T/k2
check keygen_makes_a_key "$NWRFS" keygen "$K1"
check keygen_makes_another "$NWRFS" keygen "$K2"
equal a_key_is_for_its_owner_only 600 "$(stat -c %a "$K1")"
was=$(cat "$K1")
refuse keygen_overwrites_nothing "exists" "$NWRFS" keygen "$K1"
equal and_the_key_is_what_it_was "$was" "$(cat "$K1")"
[ "$(hex_of "$K1")" != "$(hex_of "$K2")" ] && ok no_two_keys_are_the_same ||
    fail no_two_keys_are_the_same
I1=$(id_of "$K1") I2=$(id_of "$K2")
cp "$K1" "$T/open" && chmod 640 "$T/open"
refuse a_key_that_others_can_read_is_refused "$T/open: mode 0640.*chmod 600" \
    "$NWRFS" serve --data "$T/x" --key "$T/open"
refuse a_missing_key_file_is_named "$T/none.*keygen" "$NWRFS" serve --data "$T/x" --key "$T/none"
(umask 077 && echo "secret" >"$T/junk" && cat "$K1" "$K2" "$K1" >"$T/many")
refuse a_file_without_a_key_is_refused "$T/junk: line 1" \
    "$NWRFS" mount --data "$T/x" --key "$T/junk" "$T/run"
refuse the_same_key_twice_is_refused "$T/many: line 6: the same key" \
    "$NWRFS" serve --data "$T/x" --key "$T/many"
refuse a_mount_without_storage_reads_its_key_first "$T/none" \
    "$NWRFS" mount --peers 127.0.0.1:1 --key "$T/none" "$T/run"
equal none_of_these_made_a_data_directory "" "$(ls -d "$T/x" 2>/dev/null)"

# ---- where a node listens -----------------------------------------------------------------------

ip addr add 10.77.0.1/32 dev lo
refuse without_a_key_only_loopback "without a key.*--key" \
    "$NWRFS" serve --data "$T/x" --listen 10.77.0.1:7000
refuse no_node_listens_everywhere "could not reach" \
    "$NWRFS" serve --data "$T/x" --key "$K1" --listen 0.0.0.0:7000
(umask 077 && cp "$K1" "$T/key.a" && cp "$K1" "$T/key.b" && cp "$K1" "$T/key.c" &&
    cp "$K1" "$T/key.r")
export MA=$T/mnt.a MB=$T/mnt.b MR=$T/mnt.r
node a mount --n 3 --w 2 --r 2 --listen 10.77.0.1:7001 --key "$T/key.a" "$MA" &&
    ok with_a_key_any_address_will_do || fail with_a_key_any_address_will_do
A=$(address a)
check it_stops halt a
refuse reopened_without_its_key_it_does_not_listen_there "without a key" \
    "$NWRFS" serve --data "$T/a"
check it_opens_again_with_it again a
node b mount --join "$A" --key "$T/key.b" "$MB" && ok a_second_node_joins ||
    fail a_second_node_joins
node c serve --join "$A" --key "$T/key.c" && ok a_third_node_joins || fail a_third_node_joins

# ---- those who have the key ---------------------------------------------------------------------

beside python3 "$WAY" record "$T/way" "$A" "$T/said"
beside python3 "$WAY" sniff lo "$T/seen" 120
eventually 10 test -s "$T/way"
remote r "$(cat "$T/way")" --key "$T/key.r" && ok a_mount_without_storage_has_the_key_too ||
    fail a_mount_without_storage_has_the_key_too
try who_has_the_key_works <<'END'
echo "open sesame, open sesame" >"$MA/f"
same "open sesame, open sesame" "$(cat "$MB/f")"
echo "from afar, from afar" >"$MR/g"
same "from afar, from afar" "$(cat "$MB/g")"
head -c 5000000 /dev/urandom >"$T/plain"
cp "$T/plain" "$MB/big"
cmp "$T/plain" "$MA/big"
cmp "$T/plain" "$MR/big"
END
seen_all() { [ "$(stat -c %s "$T/seen")" -gt 5000000 ]; }
eventually 20 seen_all && ok somebody_on_the_way_sees_the_packets ||
    fail somebody_on_the_way_sees_the_packets "$(stat -c %s "$T/seen") bytes"
touch "$T/seen.stop"
grep -qaE 'open sesame|from afar' "$T/seen" && fail and_cannot_read_them "text in the clear" ||
    ok and_cannot_read_them
equal every_connection_has_the_key "$I1" "$(keys_in_use c)"

# ---- those who have not -------------------------------------------------------------------------

refuse another_key_does_not_join "$A: refuses key $I2" \
    "$NWRFS" serve --data "$T/x" --join "$A" --key "$K2"
says and_the_node_says_so a "bad_connection.*offers key $I2, this node has $I1"
refuse no_key_does_not_join "$A: refused.*no key" "$NWRFS" serve --data "$T/x" --join "$A"
says and_the_node_says_that_too a "bad_connection.*it has no key and this node has one"
mkdir "$T/e"
refuse another_key_does_not_mount "$A: refuses key $I2" \
    "$NWRFS" mount --peers "$A" --key "$K2" "$T/e"
refuse no_key_does_not_mount "$A.*no key and the other one has" "$NWRFS" mount --peers "$A" "$T/e"
node bare serve
refuse a_key_is_of_no_use_with_a_node_without "$(address bare): speaks without TLS" \
    "$NWRFS" serve --data "$T/x" --join "$(address bare)" --key "$K1"
says which_says_so_too bare "bad_connection.*it has a key and this node has none"
says a_node_without_a_key_says_so bare "event=no_key"
halt bare
node other serve --key "$K1"
halt other
refuse another_volume_with_the_same_key_is_refused "another volume" \
    "$NWRFS" serve --data "$T/other" --join "$A" --key "$K1"
says and_its_node_is_told_apart a "event=refused.*another volume"

# A member with another key: it starts, as without its peers, and says why it has none.
halt c
limited 30 "$NWRFS" serve --data "$T/c" --key "$K2" >"$OUT" 2>&1
remember c
grep -q "1 of 3 members are reachable.*refuses key $I2" "$OUT" &&
    ok a_member_with_another_key_says_why_it_is_alone ||
    fail a_member_with_another_key_says_why_it_is_alone "$(cat "$OUT")"
halt c
check with_the_right_key_it_is_back again c
eventually 15 members_up c 3 && ok and_has_its_peers || fail and_has_its_peers

# ---- rogues -------------------------------------------------------------------------------------

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=nwrfs \
    -keyout "$T/rogue.key" -out "$T/rogue.crt" 2>/dev/null
beside openssl s_server -accept 127.0.0.1:7900 -tls1_3 -key "$T/rogue.key" -cert "$T/rogue.crt"
beside openssl s_server -accept 127.0.0.1:7901 -tls1_3 -nocert -psk "$(hex_of "$K2")" \
    -psk_identity "nwrfs $I1"
ROGUE=$T/.beside.$((${#OTHERS[@]} - 2))
listening() { ss -Hltn "sport = :$1" | grep -q .; }
eventually 10 listening 7900 && eventually 10 listening 7901
refuse a_rogue_server_with_a_certificate_gets_no_node "127.0.0.1:7900: .*shows a certificate" \
    "$NWRFS" serve --data "$T/x" --join 127.0.0.1:7900 --key "$K1"
refuse nor_a_mount "127.0.0.1:7900: .*shows a certificate" \
    "$NWRFS" mount --peers 127.0.0.1:7900 --key "$K1" "$T/e"
refuse a_rogue_server_that_claims_the_key_gets_none "127.0.0.1:7901: " \
    "$NWRFS" serve --data "$T/x" --join 127.0.0.1:7901 --key "$K1"
grep -qi 'alert unknown ca' "$ROGUE" && ok the_rogue_is_told_so_by_an_alert ||
    fail the_rogue_is_told_so_by_an_alert "$(tail -n 3 "$ROGUE")"

# client SAYS PATTERN ARGS... -- stays until it has got an answer with the pattern.
client() {
    : >"$OUT"
    { printf "$1" && eventually 20 grep -qai "$2" "$OUT"; } |
        timeout 30 openssl s_client -connect "$A" -tls1_3 "${@:3}" >"$OUT" 2>&1
}
client '' 'handshake failure'
grep -qi 'handshake failure' "$OUT" && ok a_client_without_a_key_gets_an_alert ||
    fail a_client_without_a_key_gets_an_alert "$(grep -i alert "$OUT")"
says and_the_node_has_seen_it a 'bad_connection.*offers no key'
client '' 'illegal parameter' -psk "$(hex_of "$K2")" -psk_identity "nwrfs $I1"
grep -qi 'illegal parameter' "$OUT" && ok a_client_that_claims_the_key_gets_an_alert ||
    fail a_client_that_claims_the_key_gets_an_alert "$(grep -i alert "$OUT")"
says and_the_node_has_seen_that a "bad_connection.*claims key $I1 and does not have it"
# With the key openssl is let in, so it was the key that kept the others out. What it says is the
# HELLO of serve_test.sh, of protocol versions 90 to 91.
client '\0\0\0\24\234\1\0\0\0\0\132\133\0\5\0\240\227\1\1\1\1\1\1\1' \
    'protocol version' -quiet -psk "$(hex_of "$K1")" -psk_identity "nwrfs $I1"
grep -qa 'protocol version 90 to 91' "$OUT" && ok another_format_is_refused_with_the_right_key ||
    fail another_format_is_refused_with_the_right_key "$(tr -d '\0' <"$OUT" | tail -n 3)"
says and_the_node_says_which a 'event=refused.*protocol version 90 to 91'

# ---- what was recorded, cut, or never was TLS ---------------------------------------------------

[ "$(stat -c %s "$T/said")" -gt 1000 ] && ok the_mount_went_past_the_recorder ||
    fail the_mount_went_past_the_recorder
cp "$T/said" "$T/again"
before=$(grep -c 'failed the TLS handshake' "$T/a/log")
check a_recorded_stream_can_be_sent_again python3 "$WAY" replay "$A" "$T/again"
replay_logged() { [ "$(grep -c 'failed the TLS handshake' "$T/a/log")" -gt "$before" ]; }
eventually 10 replay_logged && ok and_is_refused || fail and_is_refused
beside python3 "$WAY" cut "$T/early" "$A" 60
beside python3 "$WAY" cut "$T/late" "$A" 100000
eventually 10 test -s "$T/early" && eventually 10 test -s "$T/late"
refuse a_handshake_that_is_cut_is_said "$(cat "$T/early"): closed.*during the TLS handshake" \
    "$NWRFS" mount --peers "$(cat "$T/early")" --key "$K1" "$T/e"
says by_the_node_too a 'bad_connection.*closed by the other side during the TLS handshake'
remote late "$(cat "$T/late")" --key "$K1" || fail a_mount_whose_stream_will_be_cut_starts
(timeout 30 cat "$T/mnt.late/big" >"$T/late.out" 2>"$T/late.err"; echo $? >"$T/late.rc") &
LATE=$!
python3 "$WAY" send "$A" 474554202f20485454502f312e310d0a0d0a >"$OUT"
says plain_garbage_is_hung_up_on a 'bad_connection.*does not speak the nwrfs protocol'
try after_all_this_everybody_still_works <<'END'
echo still >"$MA/h"
same still "$(cat "$MB/h")"
same still "$(cat "$MR/h")"
END

# ---- another key, while people work -------------------------------------------------------------

work() { # DIR ROUNDS: writes, renames and reads until told to stop; the first failure is kept
    local i=0
    while [ ! -e "$T/stop.work" ]; do
        i=$((i + 1))
        echo "$i" >"$1/new.$((i % 20))" && mv "$1/new.$((i % 20))" "$1/f.$((i % 20))" &&
            [ "$(cat "$1/f.$((i % 20))")" = "$i" ] || {
            echo "round $i in $1" >>"$T/work.failed"
            return
        }
        echo "$i" >"$2"
    done
}
mkdir "$MA/wa" "$MB/wb" "$MR/wr"
: >"$T/work.failed"
WORKERS=()
for d in "$MA/wa" "$MB/wb" "$MR/wr"; do
    work "$d" "$T/rounds.$(basename "$d")" >>"$T/work.failed" 2>&1 </dev/null &
    WORKERS+=($!)
done
OTHERS+=("${WORKERS[@]}")
rounds() { cat "$T/rounds.$1" 2>/dev/null || echo 0; }
worked() { # NAME ROUNDS: beyond so many
    [ "$(rounds "$1")" -gt "$2" ]
}
goes_on() {
    local d
    for d in wa wb wr; do eventually 20 worked $d $(($(rounds $d) + 3)) || return 1; done
}
goes_on && ok three_mounts_are_at_work || fail three_mounts_are_at_work

mount_of() { tr '\0' ' ' </proc/"$1"/cmdline | grep -q -- "--peers.* $MR \$"; }
RUN=$(for p in $(our_pids); do mount_of "$p" && echo "$p"; done)
change() { # OFFERS FILES...: one node after the other gets these keys
    local offers=$1 n
    shift
    for n in a b c; do
        cat "$@" >"$T/key.$n"
        kill -HUP "$(node_pid $n)"
        logged $n "event=rekey offers=$offers" || return 1
    done
    cat "$@" >"$T/key.r"
    kill -HUP "$RUN"
}
change "$I1" "$K1" "$K2" && ok first_both_are_accepted_and_the_old_one_is_offered ||
    fail first_both_are_accepted_and_the_old_one_is_offered
change "$I2" "$K2" "$K1" && ok then_the_new_one_is_offered || fail then_the_new_one_is_offered
moved=1
for n in a b c; do eventually 20 all_use $n "$I2" || moved=0; done
equal and_every_connection_is_made_again_with_it 1 $moved
goes_on && ok while_the_work_goes_on || fail while_the_work_goes_on
change "$I2" "$K2" && ok then_the_old_one_is_forgotten || fail then_the_old_one_is_forgotten
goes_on && ok and_the_work_still_goes_on || fail and_the_work_still_goes_on
touch "$T/stop.work"
wait "${WORKERS[@]}" $LATE
equal nobody_who_worked_noticed "" "$(cat "$T/work.failed")"
refuse the_old_key_is_refused_now "refuses key $I1" \
    "$NWRFS" serve --data "$T/x" --join "$A" --key "$K1"
echo broken >"$T/key.a"
kill -HUP "$(node_pid a)"
says a_broken_file_changes_nothing a 'event=rekey_failed.*line 1'
members_up a 3 && ok and_everybody_stays || fail and_everybody_stays
cat "$K2" >"$T/key.a"
try all_of_it_is_there <<'END'
for d in wa wb wr; do diff -r "$MA/$d" "$MB/$d"; done
same still "$(cat "$MR/h")"
END
equal a_file_that_never_comes_whole_is_not_read 1 "$(cat "$T/late.rc")"
cmp -n "$(stat -c %s "$T/late.out")" "$T/late.out" "$T/plain" && ok and_nothing_wrong_of_it ||
    fail and_nothing_wrong_of_it
grep -q 'event=link_down.*cut off' /run/nwrfs/*/log "$T"/run/nwrfs/*/log 2>/dev/null &&
    ok and_the_log_says_that_it_was_cut || fail and_the_log_says_that_it_was_cut
check the_mount_without_storage_goes "$NWRFS" umount "$MR"
