#!/usr/bin/env python3
"""posix_apart.py -- what a program may expect of a directory whose two mounts are cut from each
other, w=1 r=1.

    posix_apart.py A B CUT HEAL     A and B are one directory on two mounts; CUT and HEAL are shell

Each check is a generator. What comes before its first `yield` is done connected, then what comes
before its second is done cut off, all in this process, and what follows connected again. A's side
is node a alone; b and c are on the other.
"""
import concurrent.futures
import errno
import mmap
import os
import stat
import struct
import subprocess
import sys
import traceback

from posix_kit import child, comes, ended, fails, get, link_fd, put, report
from posix_names import handle_of, open_handle
from posix_pair import (contents, copy, data_of, drop_caches, errors_are_told,
                        is_room_of_nodes, kill, locks_are_of, same, status, sync_often, times_of)

CHECKS = {}
POOL = concurrent.futures.ThreadPoolExecutor()
BESIDE = []  # what takes its time while cut off


def check(f):
    CHECKS[f.__name__] = f
    return f


def beside(f):
    BESIDE.append(POOL.submit(f))
    return BESIDE[-1]


def shows(where, names):
    same(sorted(names), sorted(os.listdir(where)))


def both(a, b, f):
    """f holds on both, in the end."""
    for where in (a, b):
        comes(f, where)


def has(data, name="f"):
    return lambda where: same(data, contents(where, name))


def append(path, data):
    fd = os.open(path, os.O_APPEND | os.O_WRONLY)
    os.write(fd, data)
    os.close(fd)


def others_are_down():
    same(["down", "down", "up"], sorted(m["state"] for m in status("a")["members"]))


# ---- nodes ----


@check
def errors_of_background_writes_are_told_where_w_are_missing(a, b):
    os.setxattr(a, "user.nwrfs.w", b"2")
    put(f"{a}/f", b"old")
    fd = os.open(f"{a}/f", os.O_WRONLY)
    comes(lambda: same(b"2", os.getxattr(b, "user.nwrfs.w")))
    yield
    told = beside(lambda: (comes(others_are_down), errors_are_told(fd, errno.EHOSTDOWN)))
    yield
    told.result()
    comes(os.fsync, fd)
    os.close(fd)
    both(a, b, has([b"newer"]))


# ---- names ----


@check
def one_name_linked_on_two_sides_is_head_and_sibling(a, b):
    put(f"{a}/one", b"1")
    put(f"{a}/two", b"2")
    yield
    os.link(f"{a}/one", f"{a}/f")
    os.link(f"{b}/two", f"{b}/f")
    fails(errno.EEXIST, os.link, f"{a}/two", f"{a}/f")
    yield
    both(a, b, has([b"1", b"2"]))
    same(sorted(os.listdir(a)), sorted(os.listdir(b)))


@check
def special_files_made_cut_off_are_the_same_elsewhere(a, b):
    yield
    os.symlink("some/where", f"{a}/link")
    os.mkfifo(f"{a}/fifo", 0o640)
    os.mknod(f"{a}/sock", 0o600 | stat.S_IFSOCK)
    os.mknod(f"{a}/chr", 0o644 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(f"{a}/blk", 0o600 | stat.S_IFBLK, os.makedev(259, 70000))
    carries(f"{a}/fifo")
    yield
    both(a, b, lambda d: shows(d, ["link", "fifo", "sock", "chr", "blk"]))
    assert os.readlink(f"{b}/link") == "some/where"
    for name in os.listdir(b):
        x, y = os.lstat(f"{a}/{name}"), os.lstat(f"{b}/{name}")
        same((x.st_mode, x.st_rdev, x.st_ino), (y.st_mode, y.st_rdev, y.st_ino))
    assert os.stat(f"{b}/blk").st_rdev == os.makedev(259, 70000)
    carries(f"{b}/fifo")


def carries(fifo):
    pid = child(put, fifo, b"through")
    assert get(fifo) == b"through"
    assert ended(pid) == 0


@check
def a_file_without_a_name_that_got_one_cut_off_is_there(a, b):
    fd = os.open(a, os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b"hidden")
    yield
    link_fd(fd, f"{a}/shown")
    os.write(fd, b" more")
    os.close(fd)
    assert get(f"{a}/shown") == b"hidden more"
    shows(b, [])
    yield
    both(a, b, has([b"hidden more"], "shown"))
    assert os.stat(f"{b}/shown").st_nlink == 1


@check
def an_unlinked_file_is_usable_where_it_is_open_and_gone_after_the_cut(a, b):
    put(f"{a}/f", b"content")
    here, there = os.open(f"{a}/f", os.O_RDWR), os.open(f"{b}/f", os.O_RDONLY)
    yield
    os.unlink(f"{a}/f")
    os.pwrite(here, b"more" * 100000, 7)
    os.fsync(here)
    assert os.pread(here, 11, 0) == b"contentmore" and os.fstat(here).st_nlink == 0
    assert os.pread(there, 20, 0) == b"content" and get(f"{b}/f") == b"content"
    yield
    both(a, b, lambda d: shows(d, []))
    os.pwrite(here, b"C", 0)
    os.fsync(here)
    assert os.pread(here, 11, 0) == b"Contentmore" and os.fstat(here).st_size == 400007
    try:
        got = os.pread(there, 11, 0)
        assert got in (b"content", b"Content", b"Contentmore"), got
    except OSError as e:
        assert e.errno == errno.ESTALE, e
    os.close(here)
    os.close(there)


@check
def links_made_on_two_sides_are_all_counted(a, b):
    put(f"{a}/f")
    os.mkdir(f"{a}/d")
    yield
    for where, name in ((a, "one"), (b, "two")):
        os.link(f"{where}/f", f"{where}/{name}")
        os.mkdir(f"{where}/d/{name}")
        assert os.stat(f"{where}/f").st_nlink == 2
    os.link(f"{b}/f", f"{b}/three")
    os.unlink(f"{b}/three")
    yield
    both(a, b, lambda d: shows(d, ["f", "d", "one", "two"]))
    both(a, b, lambda d: same((3, 4), (os.stat(f"{d}/f").st_nlink, os.stat(f"{d}/d").st_nlink)))


@check
def a_handle_of_a_sibling_opens_it_or_is_stale(a, b):
    put(f"{a}/f", b"base")
    yield
    put(f"{a}/f", b"one")
    put(f"{b}/f", b"two")
    assert os.read(open_by(b, handle_of(f"{b}/f")), 9) == b"two"
    yield
    both(a, b, has([b"one", b"two"]))
    for where in (a, b):
        for name in os.listdir(where):
            handle, want = handle_of(f"{where}/{name}"), get(f"{where}/{name}")
            drop_caches()
            try:
                assert os.read(open_by(where, handle), 9) == want
            except OSError as e:
                assert e.errno == errno.ESTALE and name != "f", (name, e)


def open_by(where, handle):
    root = os.open(where, os.O_RDONLY)
    try:
        return open_handle(root, handle)
    finally:
        os.close(root)


# ---- contents ----


@check
def appends_on_two_sides_are_head_and_sibling(a, b):
    put(f"{a}/f", b"base,")
    kept = os.open(f"{a}/f", os.O_APPEND | os.O_WRONLY)
    yield
    os.write(kept, b"a")
    os.close(kept)
    append(f"{b}/f", b"b")
    append(f"{b}/f", b"b")
    yield
    both(a, b, has([b"base,a", b"base,bb"]))


@check
def a_redirected_command_on_one_side_leaves_one_file(a, b):
    put(f"{a}/old", b"old")
    yield
    for name in ("old", "new"):
        subprocess.run(f"echo said >{a}/{name}", shell=True, check=True)
        assert get(f"{a}/{name}") == b"said\n"
    yield
    for name in ("old", "new"):
        both(a, b, has([b"said\n"], name))
    shows(b, ["old", "new"])


@check
def what_a_mapping_changed_cut_off_is_elsewhere_afterwards(a, b):
    put(f"{a}/f", b"-" * 20000)
    fd = os.open(f"{a}/f", os.O_RDWR)
    m = mmap.mmap(fd, 20000)
    yield
    m[5000:5005] = b"first"
    m.flush()
    assert os.pread(fd, 7, 4999) == b"-first-"
    m[9000:9006] = b"second"
    m.close()
    os.close(fd)
    yield
    both(a, b, lambda d: same(b"-second-", get(f"{d}/f")[8999:9007]))
    assert get(f"{b}/f")[4999:5006] == b"-first-"
    shows(b, ["f"])


@check
def holes_made_cut_off_are_holes_afterwards(a, b):
    yield
    fd = os.open(f"{a}/f", os.O_CREAT | os.O_RDWR)
    os.pwrite(fd, b"x" * 65536, 1 << 20)
    os.ftruncate(fd, 5 << 40)
    os.close(fd)
    yield
    fd = comes(os.open, f"{b}/f", os.O_RDONLY)
    assert os.fstat(fd).st_size == 5 << 40
    same([(1 << 20, (1 << 20) + 65536)], data_of(fd))
    os.close(fd)


@check
def a_copy_made_cut_off_is_whole_though_its_source_went(a, b):
    data = os.urandom(3 << 20)
    put(f"{a}/from", data)
    yield
    copy(f"{a}/from", f"{a}/copy")
    os.unlink(f"{a}/from")
    yield
    both(a, b, lambda d: shows(d, ["copy"]))
    assert get(f"{b}/copy") == data and get(f"{a}/copy") == data


@check
def programs_on_one_side_make_no_conflict(a, b):
    put(f"{a}/f", b"base")
    yield

    def work(i):
        for n in range(10):
            get(f"{a}/f")
            put(f"{a}/tmp{i}", b"%d %d" % (i, n))
            os.rename(f"{a}/tmp{i}", f"{a}/f")
            put(f"{a}/f", b"%d %d again" % (i, n))

    same([0] * 4, [ended(p) for p in [child(work, i) for i in range(4)]])
    last = get(f"{a}/f")
    yield
    both(a, b, has([last]))
    shows(b, ["f"])


@check
def with_reject_two_sides_make_siblings_and_are_refused_nothing(a, b):
    put(f"{a}/f", b"base")
    for where in (a, b):
        comes(get, f"{where}/f")
    os.setxattr(a, "user.nwrfs.on-conflict", b"reject")
    comes(lambda: same(b"reject", os.getxattr(b, "user.nwrfs.on-conflict")))
    yield
    put(f"{a}/f", b"one")
    put(f"{b}/f", b"two")
    yield
    both(a, b, has([b"one", b"two"]))
    same([], [n for d in (a, b) for n in os.listdir(d) if "rejected" in n])


# ---- attributes ----


@check
def times_set_or_made_cut_off_are_the_same_afterwards(a, b):
    put(f"{a}/set")
    os.mkdir(f"{a}/d")
    yield
    os.utime(f"{a}/set", ns=(10 ** 9 + 1, 2 * 10 ** 9 + 7))
    get(f"{a}/set")
    put(f"{a}/made")
    put(f"{a}/d/x")
    os.utime(f"{a}/d", ns=(-3, 2 ** 33 * 10 ** 9))
    want = {name: times_of(f"{a}/{name}") for name in ("set", "made", "d")}
    same((10 ** 9 + 1, 2 * 10 ** 9 + 7), want["set"])
    yield
    for name in want:
        both(a, b, lambda d: same(want[name], times_of(f"{d}/{name}")))


USER_OBJ, USER, GROUP_OBJ, MASK, OTHER, NOBODY = 1, 2, 4, 16, 32, 0xffffffff


def acl(user, perm, mask):
    return struct.pack("<I" + "HHI" * 5, 2, USER_OBJ, 6, NOBODY, USER, perm, user,
                       GROUP_OBJ, 4, NOBODY, MASK, mask, NOBODY, OTHER, 0, NOBODY)


@check
def of_acls_set_on_two_sides_the_later_one_holds(a, b):
    name = "system.posix_acl_access"
    put(f"{a}/f")
    os.mkdir(f"{a}/d")
    yield
    for where, user in ((a, 4001), (b, 4002)):
        os.setxattr(f"{where}/f", name, acl(user, 6, 6))
        os.setxattr(f"{where}/d", "system.posix_acl_default", acl(user, 7, 7))
    yield
    both(a, b, lambda d: same(acl(4002, 6, 6), os.getxattr(f"{d}/f", name)))
    both(a, b, lambda d: same(acl(4002, 7, 7), os.getxattr(f"{d}/d", "system.posix_acl_default")))
    for where in (a, b):
        assert stat.S_IMODE(os.stat(f"{where}/f").st_mode) == 0o660


@check
def statfs_goes_on_with_what_was_heard_of_the_others(a, b):
    comes(is_room_of_nodes, a, b)
    yield
    is_room_of_nodes(a, b)
    yield
    comes(is_room_of_nodes, a, b)


@check
def locks_are_of_one_mount_only_as_ever(a, b):
    put(f"{a}/f")
    yield
    locks_are_of(a, b)
    locks_are_of(b, a)
    yield


# ---- disks and nodes; last what changes them for the others ----


@check
def fsync_has_the_one_node_sync_each_time(a, b):
    yield
    before = status("a")["counters"]["store_syncs"]
    sync_often(f"{a}/f", 20)
    assert status("a")["counters"]["store_syncs"] - before >= 20
    yield
    both(a, b, has([b"durable" * 20]))


def fill(where, data):
    """Files of that until one does not fit; how many did."""
    for n in range(64):
        fd = os.open(f"{where}/{n}", os.O_CREAT | os.O_WRONLY)
        os.write(fd, data)
        try:
            os.fsync(fd)
            os.close(fd)
        except OSError as e:
            assert e.errno == errno.ENOSPC, e
            fails(errno.ENOSPC, os.close, fd)
            return n
    raise AssertionError("there is room for all of it")


@check
def a_full_disk_is_noticed_on_its_side_alone(a, b):
    for name in ("kept", "gone"):
        put(f"{a}/{name}", b"kept" * 1000)
    yield
    data = os.urandom(1 << 20)
    disk = os.environ["T"] + "/a"
    comes(others_are_down)
    with open(disk + "/ballast", "wb") as f:
        st = os.statvfs(disk)
        os.posix_fallocate(f.fileno(), 0, st.f_bavail * st.f_frsize - (1 << 20))
    try:
        fit = fill(a, data)
        assert get(f"{a}/kept") == b"kept" * 1000
        os.unlink(f"{a}/gone")
        put(f"{b}/there", data)
        assert get(f"{b}/there") == data
    finally:
        os.unlink(disk + "/ballast")
    comes(put, f"{a}/room", data)
    yield
    for name in ["there", "room", *map(str, range(fit))]:
        both(a, b, has([data], name))
    for where in (a, b):
        assert "gone" not in os.listdir(where) and get(f"{where}/kept") == b"kept" * 1000


@check
def files_open_are_used_on_when_another_node_of_the_side_is_killed(a, b):
    data = os.urandom(1 << 20)
    put(f"{b}/read", data)
    reader = os.open(f"{b}/read", os.O_RDONLY)
    writer = os.open(f"{b}/write", os.O_CREAT | os.O_RDWR)
    os.write(writer, b"first")
    yield
    os.write(writer, b" second")
    os.fsync(writer)
    kill("c")
    drop_caches()
    assert os.pread(reader, len(data), 0) == data
    os.write(writer, b" third")
    os.fsync(writer)
    os.close(writer)
    os.close(reader)
    assert get(f"{b}/write") == b"first second third"
    yield
    both(a, b, has([b"first second third"], "write"))


def advance(running, bad):
    for name in list(running):
        try:
            next(running[name])
        except StopIteration:
            del running[name]
        except BaseException:
            bad[name] = traceback.format_exc()
            del running[name]


def shell(command):
    subprocess.run(["bash", "-c", command], check=True)


def main(a, b, cut, heal):
    running, bad = {}, {}
    for name, f in CHECKS.items():
        d = name[:40]
        os.mkdir(f"{a}/{d}")
        comes(os.stat, f"{b}/{d}")
        running[name] = f(f"{a}/{d}", f"{b}/{d}")
    for before in (None, cut, heal):
        if before:
            shell(before)
        advance(running, bad)
        concurrent.futures.wait(BESIDE)
    for name in CHECKS:
        report(name, bad.get(name, ""))
    sys.exit(1 if bad else 0)


main(*sys.argv[1:])
