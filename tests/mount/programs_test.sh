#!/usr/bin/env bash
# programs_test.sh -- programs with habits of their own in a three-node mount, while the node
# without a mount is killed and comes back. NWR_LONG=1: more of everything.
# long: yes
. "$(dirname "$0")/../lib/mount.sh"
need_fuse
for p in git sqlite3 python3; do need $p; done

LIMIT=${NWR_LONG:+900}
LIMIT=${LIMIT:-300}
export ROUNDS=${NWR_LONG:+1500} MAILS=${NWR_LONG:+400} LINES=${NWR_LONG:+3000}
export ROUNDS=${ROUNDS:-150} MAILS=${MAILS:-40} LINES=${LINES:-200}
export GIT_CONFIG_GLOBAL=$T/gitconfig GIT_CONFIG_SYSTEM=/dev/null

three_nodes || {
    fail three_nodes_form_a_volume "see above"
    exit 1
}
export MA MB
chmod 711 "$T"
git config --global user.name tester
git config --global user.email tester@example.org
git config --global init.defaultBranch main
git config --global gc.auto 0
git config --global safe.directory '*'

# For scripts of `try`: the peer dies in the middle of what runs.
export KILL_C='kill -9 "$(cat "$T/c/pid")"'
back() { again c || fail the_peer_comes_back "see above"; }

try git_worktrees_share_a_repository_while_a_peer_dies <<'END'
git init -q "$MA/repo" && cd "$MA/repo"
for i in 1 2 3 4 5 6; do
    mkdir -p d$i && seq $((i * 50)) >d$i/f && git add -A && git commit -qm "commit $i"
done
git worktree add -q "$MA/side" -b side HEAD~2
eval "$KILL_C"
cd "$MA/side" && echo side >side && git add side && git commit -qm side
git worktree add -q --detach "$MA/third" main~1
cd "$MA/repo" && git merge -q -m merged side
git gc -q --prune=now
git fsck --full --strict
git worktree remove "$MA/third"
mv "$MA/side" "$MA/moved" && git worktree repair "$MA/moved" >/dev/null
same "" "$(git -C "$MA/moved" status --porcelain)$(git status --porcelain)"
same "$(git rev-parse HEAD)" "$(git -C "$MB/repo" rev-parse HEAD)"
git -C "$MB/repo" fsck --full --strict
END
back

for mode in DELETE WAL; do
    export MODE=$mode
    try "sqlite_keeps_its_promises_with_journal_mode_$mode" <<'END'
python3 - "$MA/$MODE.db" "$ROUNDS" "$MODE" <<'PY'
import os, signal, sqlite3, sys
path, rounds, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
db = sqlite3.connect(path, isolation_level=None, timeout=60)
assert db.execute("PRAGMA journal_mode=" + mode).fetchone()[0].upper() == mode
db.execute("CREATE TABLE t(who INTEGER, i INTEGER, x TEXT)")
children = []
for who in (1, 2):
    pid = os.fork()
    if pid == 0:
        mine = sqlite3.connect(path, isolation_level=None, timeout=60)
        for i in range(rounds):
            mine.execute("BEGIN IMMEDIATE")
            mine.execute("INSERT INTO t VALUES(?, ?, hex(randomblob(40)))", (who, i))
            mine.execute("ROLLBACK" if i % 10 == 9 else "COMMIT")
            if who == 1 and i == rounds // 2:
                os.kill(int(open(os.environ["T"] + "/c/pid").read()), signal.SIGKILL)
        mine.close()
        os._exit(0)
    children.append(pid)
assert all(os.waitpid(p, 0)[1] == 0 for p in children)
for who in (1, 2):
    got = db.execute("SELECT count(*) FROM t WHERE who = ?", (who,)).fetchone()[0]
    assert got == rounds - rounds // 10, got
db.close()
PY
for db in "$MA/$MODE.db" "$MB/$MODE.db"; do
    same ok "$(sqlite3 "$db" 'PRAGMA integrity_check')"
done
same "$(sqlite3 "$MA/$MODE.db" .dump | sha256sum)" "$(sqlite3 "$MB/$MODE.db" .dump | sha256sum)"
END
    back
done

pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
export PG=$pg
if [ -x "$pg/initdb" ] && [ -x "$pg/pgbench" ] && [ "$(id -u)" = 0 ]; then
    try postgresql_initialises_and_survives_pgbench_while_a_peer_dies <<'END'
as() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$T/pgrun" "$@"; }
mkdir "$MA/pg" "$T/pgrun" && chown 65534:65534 "$MA/pg" "$T/pgrun" && chmod 700 "$MA/pg"
as "$PG/initdb" -D "$MA/pg" -U pg -A trust >"$T/pgrun/initdb.log" 2>&1
echo "unix_socket_directories = '$T/pgrun'
listen_addresses = ''" >>"$MA/pg/postgresql.conf"
as "$PG/pg_ctl" -D "$MA/pg" -l "$T/pgrun/log" -w start >/dev/null
trap 'as "$PG/pg_ctl" -D "$MA/pg" -m immediate stop >/dev/null 2>&1 || true' EXIT
q() { as "$PG/psql" -h "$T/pgrun" -U pg -At -c "$1" postgres; }
as "$PG/pgbench" -h "$T/pgrun" -U pg -i -q -s 1 postgres 2>/dev/null
(sleep 1 && eval "$KILL_C") &
as "$PG/pgbench" -h "$T/pgrun" -U pg -n -c 2 -t "$ROUNDS" postgres >"$T/pgrun/bench" 2>&1
wait $!
same "$((2 * ROUNDS))" "$(q 'SELECT count(*) FROM pgbench_history')"
as "$PG/pg_ctl" -D "$MA/pg" -m immediate -w stop >/dev/null # a crash: it recovers from its log
as "$PG/pg_ctl" -D "$MA/pg" -l "$T/pgrun/log" -w start >/dev/null
same "$((2 * ROUNDS))" "$(q 'SELECT count(*) FROM pgbench_history')"
same "$(q 'SELECT sum(delta) FROM pgbench_history')" \
    "$(q 'SELECT sum(abalance) FROM pgbench_accounts')"
as "$PG/pg_ctl" -D "$MA/pg" -m fast -w stop >/dev/null
as "$PG/pg_controldata" "$MB/pg" >"$T/pgrun/control"
grep -q 'state: *shut down$' "$T/pgrun/control" || { cat "$T/pgrun/control"; false; }
END
    back
else
    skip postgresql_initialises_and_survives_pgbench_while_a_peer_dies "needs postgresql and root"
fi

try editors_save_and_the_other_mount_reads_what_was_saved <<'END'
cd "$MA"
seq 100 >text
for i in 1 2 3 4 5; do
    sed -i "s/^$i\$/line $i/" text
    same "line $i" "$(sed -n ${i}p "$MB/text")"
    python3 - "$i" <<'PY'
import os, sys
# as emacs does: the original becomes the backup, the new file is written under the name
i = sys.argv[1]
with open("text") as f:
    text = f.read()
os.rename("text", "text~")
with open("text", "w") as f:
    f.write(text.replace("\n5%s\n" % i, "\nemacs %s\n" % i))
    f.flush()
    os.fsync(f.fileno())
PY
    grep -qx "emacs $i" "$MB/text"
    grep -qx "5$i" "$MB/text~"
    if command -v vim >/dev/null; then
        for copy in yes no; do # over the file, or beside it and renamed
            vim -u NONE -es -c "set backupcopy=$copy" -c "%s/^6$i\$/vim $copy $i/e" -c 'wq!' text ||
                true
        done
        grep -qx "vim yes $i" "$MB/text"
    fi
done
same 100 "$(wc -l <"$MB/text")"
same "" "$(ls "$MB" | grep -E 'conflict|swp' || true)"
END
command -v vim >/dev/null || skip vim_saves "vim is not installed"

try mail_is_delivered_once_and_read_on_the_other_mount <<'END'
mkdir -p "$MA"/mail/tmp "$MA"/mail/new "$MA"/mail/cur
python3 - "$MA/mail" "$MB/mail" "$MAILS" <<'PY'
import os, signal, sys, time
there, here, mails = sys.argv[1], sys.argv[2], int(sys.argv[3])
pids = []
for who in range(3):
    pid = os.fork()
    if pid == 0:
        for i in range(mails):
            name = "%d.%d_%d.host" % (time.time_ns(), who, i)
            with open("%s/tmp/%s" % (there, name), "x") as f:
                f.write("mail %d %d\n" % (who, i) * 20)
                f.flush()
                os.fsync(f.fileno())
            if who:
                os.rename("%s/tmp/%s" % (there, name), "%s/new/%s" % (there, name))
            else:
                os.link("%s/tmp/%s" % (there, name), "%s/new/%s" % (there, name))
                os.unlink("%s/tmp/%s" % (there, name))
            if who == 1 and i == mails // 2:
                os.kill(int(open(os.environ["T"] + "/c/pid").read()), signal.SIGKILL)
        os._exit(0)
    pids.append(pid)
seen, end = set(), time.time() + 100
while len(seen) < 3 * mails:
    assert time.time() < end, len(seen)
    for name in os.listdir(here + "/new"):
        with open("%s/new/%s" % (here, name)) as f:
            lines = f.read().splitlines()
        assert len(lines) == 20 and len(set(lines)) == 1, (name, lines)
        assert lines[0] not in seen
        seen.add(lines[0])
        os.rename("%s/new/%s" % (here, name), "%s/cur/%s:2,S" % (here, name))
assert all(os.waitpid(p, 0)[1] == 0 for p in pids)
PY
same "$((3 * MAILS))" "$(ls "$MA/mail/cur" | wc -l)"
same "" "$(ls "$MA/mail/new" "$MA/mail/tmp" | grep -v : || true)"
END
back

try a_log_is_appended_here_and_followed_there <<'END'
: >"$MA/log"
tail ---disable-inotify -s 0.05 -n +1 -f "$MB/log" >"$T/followed" 2>"$T/tail" &
follower=$!
for i in $(seq "$LINES"); do
    echo "line $i of a log" >>"$MA/log"
    [ "$i" != $((LINES / 2)) ] || eval "$KILL_C"
done
for i in $(seq 200); do
    [ "$(wc -l <"$T/followed")" -lt "$LINES" ] || break
    sleep 0.1
done
kill $follower || cat "$T/tail"
diff "$MA/log" "$T/followed"
END
back

if command -v npm >/dev/null; then
    try npm_installs_local_packages <<'END'
for p in left right; do
    mkdir -p "$MA/js/$p"
    echo "{\"name\":\"$p\",\"version\":\"1.0.0\",\"main\":\"i.js\"}" >"$MA/js/$p/package.json"
    echo "module.exports = '$p'" >"$MA/js/$p/i.js"
done
(cd "$MA/js" && npm pack --silent ./left ./right >/dev/null)
mkdir "$MA/js/app" && cd "$MA/js/app"
echo '{"name":"app","version":"1.0.0"}' >package.json
npm install --offline --no-audit --no-fund --silent --cache "$T/npm" \
    ../left-1.0.0.tgz file:../right
same leftright "$(cd "$MB/js/app" && node -p 'require("left") + require("right")')"
END
else
    skip npm_installs_local_packages "npm is not installed"
fi

try nothing_of_all_this_was_a_conflict <<'END'
same "" "$("$NWRFS" conflicts "$MA")"
END
