#!/usr/bin/env python3
"""posix_pair.py -- what a program may expect of a directory that two mounts show, W + R > N.

    posix_pair.py A B           A and B are one directory on two mounts; runs all checks
    posix_pair.py A B NAME      runs one
"""
import errno
import fcntl
import json
import mmap
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time

from posix_kit import (child, comes, ended, fails, fallocate, get, link_fd, put, run_all)
from posix_locks import is_locked, lock
from posix_names import handle_of, open_handle

KEEP, PUNCH, COLLAPSE, INSERT = 1, 2, 8, 32
PAIRED = {}
LATER = {}  # not among all


def check(f):
    PAIRED[f.__name__] = f
    return f


def later(f):
    LATER[f.__name__] = f
    return f


def same(want, got):
    assert want == got, "wanted %r, got %r" % (want, got)


def status(node):
    said = subprocess.run([os.environ["NWRFS"], "status", "--data", os.environ["T"] + "/" + node,
                           "--json"], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(said)


def drop_caches():
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")


# ---- names ----


@check
def names_of_255_bytes_of_every_kind_are_the_same(a, b):
    a, b = os.fsencode(a), os.fsencode(b)
    every = bytes(set(range(1, 256)) - {ord("/")})
    names = [every, every[::-1] + b"x", b"n" * 255, "\u00fc".encode() * 127 + b"x"]
    for i, name in enumerate(names):
        put(a + b"/" + name, b"%d" % i)
    assert sorted(os.listdir(b)) == sorted(names)
    for i, name in enumerate(names):
        assert get(b + b"/" + name) == b"%d" % i
        os.unlink(b + b"/" + name)
    assert os.listdir(a) == []
    fails(errno.ENAMETOOLONG, put, b + b"/" + b"n" * 256)


def winners(a, b, act):
    """Two processes on each mount do it at once: who succeeded; the others are told EEXIST."""
    r, w = os.pipe()

    def run(i):
        os.close(w)
        os.read(r, 1)
        try:
            act((a, a, b, b)[i], i)
        except FileExistsError:
            os._exit(17)

    pids = [child(run, i) for i in range(4)]
    os.close(w)
    os.close(r)
    how = [ended(p) for p in pids]
    assert set(how) <= {0, 17}, how
    won = [i for i in range(4) if how[i] == 0]
    assert won and len({i // 2 for i in won}) == len(won), won
    return won


def contents(where, name):
    """Of the file and its siblings."""
    return sorted(get(os.path.join(where, n)) for n in os.listdir(where)
                  if n == name or n.startswith(name + ".conflict."))


@check
def of_exclusive_creations_at_once_one_on_a_mount_wins_and_no_winner_is_lost(a, b):
    for n in range(20):
        def create(where, i):
            fd = os.open(f"{where}/f{n}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            os.write(fd, b"%d" % i)
            os.close(fd)

        won = [b"%d" % i for i in winners(a, b, create)]
        assert contents(a, f"f{n}") == contents(b, f"f{n}") == won, (contents(a, f"f{n}"), won)


@check
def so_it_is_with_links(a, b):
    for i in range(4):
        put(f"{a}/from{i}", b"%d" % i)
    for n in range(20):
        def link(where, i):
            os.link(f"{where}/from{i}", f"{where}/f{n}")

        won = [b"%d" % i for i in winners(a, b, link)]
        assert contents(a, f"f{n}") == contents(b, f"f{n}") == won, (contents(a, f"f{n}"), won)


@check
def of_directories_made_at_once_there_is_one(a, b):
    for n in range(20):
        def make(where, i):
            os.mkdir(f"{where}/d{n}")
            put(f"{where}/d{n}/{i}")

        won = [f"{i}" for i in winners(a, b, make)]
        for where in (a, b):
            assert sorted(os.listdir(f"{where}/d{n}")) == won
    assert len(os.listdir(a)) == len(os.listdir(b)) == 20


@check
def special_files_are_of_the_same_kind_and_carry_bytes_on_either_mount(a, b):
    os.symlink("some/where", f"{a}/link")
    os.mkfifo(f"{a}/fifo", 0o640)
    os.mknod(f"{a}/sock", 0o600 | stat.S_IFSOCK)
    os.mknod(f"{a}/chr", 0o644 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(f"{a}/blk", 0o600 | stat.S_IFBLK, os.makedev(259, 70000))
    assert os.readlink(f"{b}/link") == "some/where"
    for name in ("link", "fifo", "sock", "chr", "blk"):
        x, y = os.lstat(f"{a}/{name}"), os.lstat(f"{b}/{name}")
        assert (x.st_mode, x.st_rdev, x.st_ino) == (y.st_mode, y.st_rdev, y.st_ino), (name, x, y)
    assert stat.S_ISSOCK(y.st_mode) or y.st_rdev == os.makedev(259, 70000)
    for where in (a, b):
        pid = child(put, f"{where}/fifo", b"through")
        assert get(f"{where}/fifo") == b"through"
        assert ended(pid) == 0


@check
def a_file_without_a_name_is_elsewhere_once_it_has_one(a, b):
    for size in (6, 5 << 20):
        data = random.Random(size).randbytes(size)
        fd = os.open(a, os.O_TMPFILE | os.O_RDWR, 0o640)
        os.write(fd, data)
        assert os.listdir(b) == []
        link_fd(fd, f"{a}/shown")
        assert get(f"{b}/shown") == data
        st = os.stat(f"{b}/shown")
        assert st.st_nlink == 1 and stat.S_IMODE(st.st_mode) == 0o640, st
        assert os.fstat(fd).st_ino == st.st_ino
        os.write(fd, b" more")
        os.close(fd)
        assert get(f"{b}/shown") == data + b" more"
        os.unlink(f"{b}/shown")


@check
def a_directory_that_another_mount_removed_has_links(a, b):
    os.mkdir(f"{a}/d")
    fd = os.open(f"{a}/d", os.O_RDONLY)
    os.mkdir(f"{b}/d/sub")
    comes(lambda: same(3, os.fstat(fd).st_nlink))
    os.rmdir(f"{b}/d/sub")
    os.rmdir(f"{b}/d")
    assert os.fstat(fd).st_nlink > 0
    fails(errno.ENOENT, os.stat, f"{a}/d")
    os.close(fd)


@check
def a_handle_of_one_mount_opens_its_file_on_the_other(a, b):
    put(f"{a}/f", b"by handle")
    os.makedirs(f"{a}/d/e")
    handles = {name: handle_of(f"{a}/{name}") for name in ("f", "d/e")}
    root = os.open(b, os.O_RDONLY)
    fd = open_handle(root, handles["f"])
    assert os.read(fd, 20) == b"by handle"
    os.close(fd)
    fd = open_handle(root, handles["d/e"])
    assert os.readlink("/proc/self/fd/%d" % fd).endswith("/d/e")
    os.close(fd)
    os.unlink(f"{a}/f")
    drop_caches()
    fails(errno.ESTALE, open_handle, root, handles["f"])
    os.close(root)


# ---- contents ----


@check
def a_redirected_command_leaves_one_file_that_is_never_absent(a, b):
    for n in range(10):
        fd = os.open(f"{a}/f{n}", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)  # as the shell does
        os.close(os.dup(fd))
        assert get(f"{b}/f{n}") == b""
        os.write(fd, b"said")
        os.close(fd)
        assert get(f"{b}/f{n}") == b"said"
    for n in range(10):
        subprocess.run(f"echo {n} >{a}/g", shell=True, check=True)
        assert get(f"{b}/g") == b"%d\n" % n
        subprocess.run(f"echo more >>{b}/g", shell=True, check=True)
        assert get(f"{a}/g") == b"%d\nmore\n" % n
    assert sorted(os.listdir(b)) == sorted([f"f{n}" for n in range(10)] + ["g"])


@check
def what_a_mapping_changed_is_elsewhere_after_msync_and_after_close(a, b):
    put(f"{a}/f", b"-" * 20000)
    fd = os.open(f"{a}/f", os.O_RDWR)
    m = mmap.mmap(fd, 20000)
    assert get(f"{b}/f") == b"-" * 20000
    m[5000:5005] = b"first"
    m.flush()
    assert get(f"{b}/f")[4999:5006] == b"-first-"
    m[9000:9006] = b"second"
    m.close()
    os.close(fd)
    assert get(f"{b}/f")[8999:9007] == b"-second-"
    assert os.listdir(b) == ["f"]


def data_of(fd):
    """[from, to) of what is data."""
    at, out = 0, []
    while True:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as e:
            assert e.errno == errno.ENXIO, e
            return out
        at = os.lseek(fd, start, os.SEEK_HOLE)
        out.append((start, at))


@check
def holes_of_one_mount_are_holes_on_the_other(a, b):
    mib, tera = 1 << 20, 1 << 40
    fd = os.open(f"{a}/f", os.O_CREAT | os.O_RDWR)
    os.pwrite(fd, b"x" * 65536, mib)
    os.pwrite(fd, b"y" * 4096, 3 * tera)
    os.ftruncate(fd, 5 * tera)
    os.close(fd)
    fd = os.open(f"{b}/f", os.O_RDWR)
    assert os.fstat(fd).st_size == 5 * tera and os.fstat(fd).st_blocks * 512 < 4 * mib
    same([(mib, mib + 65536), (3 * tera, 3 * tera + 4096)], data_of(fd))
    fallocate(fd, PUNCH | KEEP, mib + 4096, 8192)
    fallocate(fd, 0, 6 * tera, 4096)
    os.close(fd)
    fd = os.open(f"{a}/f", os.O_RDONLY)
    assert os.fstat(fd).st_size == 6 * tera + 4096
    same([(mib, mib + 4096), (mib + 12288, mib + 65536), (3 * tera, 3 * tera + 4096)],
         data_of(fd))
    assert os.pread(fd, 8194, mib + 4095) == b"x" + b"\0" * 8192 + b"x"
    os.close(fd)


@check
def a_range_is_neither_collapsed_nor_inserted(a, b):
    put(f"{a}/f", b"x" * 16384)
    for where in (a, b):
        fd = os.open(f"{where}/f", os.O_RDWR)
        for mode in (COLLAPSE, INSERT):
            fails(errno.EOPNOTSUPP, fallocate, fd, mode, 4096, 4096)
        os.close(fd)
        assert get(f"{where}/f") == b"x" * 16384


def copy(a, b):
    src, dst = os.open(a, os.O_RDONLY), os.open(b, os.O_CREAT | os.O_WRONLY)
    size, done = os.fstat(src).st_size, 0
    while done < size:
        n = os.copy_file_range(src, dst, size - done)
        assert n > 0
        done += n
    os.close(src)
    os.close(dst)


@check
def a_copy_is_whole_elsewhere_and_does_not_change_with_its_source(a, b):
    data = random.Random(3).randbytes(3 << 20)
    os.mkdir(f"{a}/d")  # a group of its own
    put(f"{a}/from", data)
    copy(f"{a}/from", f"{a}/near")
    copy(f"{b}/from", f"{b}/d/far")
    assert get(f"{b}/near") == data and get(f"{a}/d/far") == data
    fd = os.open(f"{b}/from", os.O_WRONLY)
    for at in range(0, len(data), 100000):
        os.pwrite(fd, b"changed", at)
    os.close(fd)
    assert get(f"{a}/from")[:7] == b"changed"
    for where in (a, b):
        assert get(f"{where}/near") == data and get(f"{where}/d/far") == data
    copy(f"{a}/near", f"{a}/from")
    os.unlink(f"{b}/near")
    assert get(f"{b}/from") == data


# ---- attributes ----


@check
def extended_attributes_of_64_kib_are_the_same(a, b):
    big = random.Random(1).randbytes(65536)
    put(f"{a}/f")
    os.mkdir(f"{a}/d")
    for name in ("f", "d"):
        os.setxattr(f"{a}/{name}", "user.big", big)
        os.setxattr(f"{b}/{name}", "user.empty", b"")
        assert os.getxattr(f"{b}/{name}", "user.big") == big
        assert sorted(os.listxattr(f"{a}/{name}")) == ["user.big", "user.empty"]
        fails(errno.EEXIST, os.setxattr, f"{b}/{name}", "user.big", b"", os.XATTR_CREATE)
        os.removexattr(f"{b}/{name}", "user.big")
        fails(errno.ENODATA, os.getxattr, f"{a}/{name}", "user.big")
        fails(errno.ENODATA, os.setxattr, f"{a}/{name}", "user.big", b"", os.XATTR_REPLACE)
        assert os.listxattr(f"{a}/{name}") == ["user.empty"]


@check
def reading_changes_no_atime(a, b):
    os.mkdir(f"{a}/d")
    put(f"{a}/d/f")
    os.utime(f"{a}/d/f", ns=(10 ** 9, 2 * 10 ** 9))  # with relatime a read would set it
    os.utime(f"{a}/d", ns=(10 ** 9, 2 * 10 ** 9))
    for where in (a, b):
        get(f"{where}/d/f")
        os.listdir(f"{where}/d")
        drop_caches()
        for name in ("d", "d/f"):
            same((10 ** 9, 2 * 10 ** 9), times_of(f"{where}/{name}"))
    os.utime(f"{b}/d/f", ns=(3, 4))
    same((3, 4), times_of(f"{a}/d/f"))


def times_of(path):
    st = os.stat(path)
    return st.st_atime_ns, st.st_mtime_ns


def room(path):
    st = os.statvfs(path)
    return st.f_blocks * st.f_frsize


def is_room_of_nodes(*mounts):
    """Of the nodes' disks together, each copy counted once."""
    want = sum(room(os.environ["T"] + "/" + node) for node in "abc") // 3
    for where in mounts:
        assert abs(room(where) - want) < 1 << 20, (where, room(where), want)
        st = os.statvfs(where)
        assert 0 < st.f_bavail <= st.f_bfree <= st.f_blocks and st.f_namemax == 255


@check
def statfs_is_of_the_disks_of_all_nodes(a, b):
    comes(is_room_of_nodes, a, b)


# ---- locks ----


def locks_are_of(one, other):
    fds = [os.open(f"{one}/f", os.O_RDWR) for _ in range(2)] + [os.open(f"{other}/f", os.O_RDWR)]
    fcntl.flock(fds[0], fcntl.LOCK_EX)
    fails(errno.EAGAIN, fcntl.flock, fds[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(fds[2], fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock(fds[0], fcntl.F_WRLCK)
    assert is_locked(f"{one}/f") and not is_locked(f"{other}/f")
    for fd in fds:
        os.close(fd)
    assert not is_locked(f"{one}/f")


@check
def locks_are_of_one_mount_only(a, b):
    put(f"{a}/f")
    locks_are_of(a, b)
    locks_are_of(b, a)


# ---- disks ----


def syncs(nodes):
    return sum(status(node)["counters"]["store_syncs"] for node in nodes)


def sync_often(path, times):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    for _ in range(times):
        os.write(fd, b"durable")
        os.fsync(fd)
    os.close(fd)


@check
def fsync_has_w_nodes_sync_each_time(a, b):
    for where in (a, b):
        before = syncs("abc")
        sync_often(f"{where}/f", 20)
        assert syncs("abc") - before >= 2 * 20, syncs("abc") - before


DOWN = (errno.EHOSTDOWN, errno.ETIMEDOUT)


def errors_are_told(fd, error):
    """Of what is written to a file while W nodes are not there for it."""
    os.pwrite(fd, b"new", 0)
    time.sleep(1.5)  # it is tried in the background
    fails(error, os.fsync, fd)
    os.pwrite(fd, b"er", 3)
    fails(error, os.close, os.dup(fd))


@later  # w is 3 in there; it kills node c
def errors_of_background_writes_are_told_at_fsync_and_close(a, b):
    fd = os.open(f"{a}/strict/f", os.O_CREAT | os.O_WRONLY)
    os.fsync(fd)
    kill("c")
    errors_are_told(fd, DOWN)
    fails(DOWN, os.close, fd)


def kill(node):
    with open(f"{os.environ['T']}/{node}/pid") as f:
        os.kill(int(f.read()), signal.SIGKILL)


def run(a, b, name):
    if name in LATER:
        LATER[name](a, b)
        return
    d = name[:40]
    os.mkdir(f"{a}/{d}")
    PAIRED[name](f"{a}/{d}", f"{b}/{d}")
    shutil.rmtree(f"{b}/{d}")
    assert not os.path.exists(f"{a}/{d}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_all([__file__, *sys.argv[1:]], PAIRED)
    elif len(sys.argv) == 4:
        run(*sys.argv[1:])
    else:
        sys.exit(__doc__)
