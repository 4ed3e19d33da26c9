#!/usr/bin/env bash
# acl_test.sh -- POSIX ACLs with -o acl, on two mounts; and what a mount without the option says.
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
need_root
for p in setfacl getfacl setfattr setpriv rsync; do need $p; done

MA=$T/mnt.a MB=$T/mnt.b MC=$T/mnt.c
node a mount --n 3 -o acl "$MA" && node b mount --join "$(address a)" -o acl "$MB" &&
    node c mount --join "$(address a)" "$MC" || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB MC
chmod 755 "$T"
# as UID cmd...; acl FILE -- in one line
export WORDS='
as() { local u=$1; shift; setpriv --reuid "$u" --regid "$u" --clear-groups "$@"; }
acl() { getfacl -cEn "$1" 2>/dev/null | grep . | tr "\n" " "; }
umask 022
'

try an_acl_lets_in_who_the_mode_keeps_out <<END
$WORDS
echo secret >"$MA/f" && chmod 640 "$MA/f"
no as 4001 cat "$MA/f"
setfacl -m u:4001:r "$MA/f"
same secret "\$(as 4001 cat "$MA/f")"
same secret "\$(as 4001 cat "$MB/f")"
no as 4002 cat "$MB/f"
no as 4001 sh -c 'echo x >>"$MA/f"'
setfacl -m u:4001:rw,g:4002:r "$MB/f"
as 4001 sh -c 'echo more >>"$MA/f"'
same "secret more" "\$(as 4002 cat "$MB/f" | tr '\n' ' ' | sed 's/ $//')"
same "user::rw- user:4001:rw- group::r-- group:4002:r-- mask::rw- other::--- " "\$(acl "$MA/f")"
END

try mode_and_acl_stay_in_step <<END
$WORDS
same 660 "\$(stat -c %a "$MA/f")"
chmod 600 "$MA/f"
same "user::rw- user:4001:rw- group::r-- group:4002:r-- mask::--- other::--- " "\$(acl "$MB/f")"
no as 4001 cat "$MA/f"
chmod 664 "$MB/f"
same "user::rw- user:4001:rw- group::r-- group:4002:r-- mask::rw- other::r-- " "\$(acl "$MA/f")"
setfacl -m m::r,o::- "$MA/f"
same 640 "\$(stat -c %a "$MB/f")"
setfacl -b "$MA/f"
setfacl -b "$MA/f"
same "user::rw- group::r-- other::--- " "\$(acl "$MB/f")"
same 640 "\$(stat -c %a "$MB/f")"
for name in access default; do setfattr -x system.posix_acl_\$name "$MA/f"; done
chmod 604 "$MA/f" && same "user::rw- group::--- other::r-- " "\$(acl "$MA/f")"
END

try what_is_made_in_a_directory_takes_its_default_acl_and_no_umask <<END
$WORDS
mkdir "$MA/d" "$MA/plain"
setfacl -d -m u:4001:rwx,g::rx,o::- "$MA/d"
umask 077
echo x >"$MB/d/f"
mkdir "$MB/d/sub"
mkfifo "$MB/d/fifo"
ln -s f "$MB/d/link"
umask 022
file="user::rw- user:4001:rwx group::r-x mask::rw- other::--- "
same "\$file" "\$(acl "$MA/d/f")"
same "\$file" "\$(acl "$MA/d/fifo")"
same 660 "\$(stat -c %a "$MA/d/f")"
same "user::rwx user:4001:rwx group::r-x mask::rwx other::--- default:user::rwx \
default:user:4001:rwx default:group::r-x default:mask::rwx default:other::--- " \
    "\$(acl "$MA/d/sub")"
echo y >"$MA/d/sub/deep" && same "\$file" "\$(acl "$MB/d/sub/deep")"
as 4001 sh -c 'echo z >"$MA/d/sub/theirs"'
same 777 "\$(stat -c %a "$MA/d/link")"
(umask 027 && echo x >"$MA/plain/f")
same 640 "\$(stat -c %a "$MB/plain/f")"
no setfacl -d -m u:4001:r "$MA/d/f"
END

try a_chmod_without_the_option_holds_for_the_acl_too <<END
$WORDS
echo x >"$MA/g" && setfacl -m u:4001:rw "$MA/g"
same x "\$(as 4001 cat "$MB/g")"
chmod 600 "$MC/g"
no as 4001 cat "$MA/g"
same "user::rw- user:4001:rw- group::r-- mask::--- other::--- " "\$(acl "$MB/g")"
END

try acls_travel_with_cp_and_rsync <<END
$WORDS
setfacl -m u:4003:rwx,m::rx "$MA/d/f"
times_arrived() { [ "\$(stat -c %y "$MA/d" "$MA/d/sub")" = "\$(stat -c %y "$MB/d" "$MB/d/sub")" ]; }
eventually 20 times_arrived # a mount tells its changes of a directory a second later
cp -a "$MA/d" "$MA/copy"
rsync -aA "$MA/d/" "$MB/synced/"
for x in . f sub sub/deep fifo; do
    same "\$(acl "$MA/d/\$x")" "\$(acl "$MB/copy/\$x")"
    same "\$(acl "$MA/d/\$x")" "\$(acl "$MA/synced/\$x")"
done
same "" "\$(rsync -aAn --itemize-changes "$MA/d/" "$MB/synced/")"
END

try without_the_option_acls_are_not_supported_and_modes_hold <<END
$WORDS
no setfacl -m u:4001:r "$MC/d/f" 2>"$T/said"
grep -q "Operation not supported" "$T/said"
same "\$(stat -c %a "$MA/d/f")" "\$(stat -c %a "$MC/d/f")"
same "" "\$(getfattr -m system "$MC/d/f" 2>/dev/null)"
END
try and_are_still_there_after_a_new_mount <<END
$WORDS
"$NWRFS" umount "$MA"
"$NWRFS" mount --data "$T/a" -o acl "$MA"
same "\$(acl "$MB/d/f")" "\$(acl "$MA/d/f")"
acl "$MA/d/f" | grep -q 4003
END
