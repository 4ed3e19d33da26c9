"""posix_names.py -- names, directories, special files, and what opens them."""
import ctypes
import errno
import os
import random
import shutil
import socket
import stat
import subprocess
import time

from posix_kit import (AT_FDCWD, call, check, child, ended, EXCHANGE, fails, get, libc, link_fd,
                       NOREPLACE, put, renameat2, root_check, WHITEOUT)

# ---- files without a name ----


@check
def a_file_without_a_name_can_be_given_one():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640)
    assert os.listdir(".") == []
    assert os.fstat(fd).st_nlink == 0
    os.write(fd, b"hidden")
    link_fd(fd, "shown")
    st = os.stat("shown")
    assert st.st_nlink == 1 and st.st_size == 6 and stat.S_IMODE(st.st_mode) == 0o640, st
    assert os.fstat(fd).st_ino == st.st_ino
    os.write(fd, b" more")
    os.close(fd)
    assert get("shown") == b"hidden more"
    os.link("shown", "again")
    assert os.stat("again").st_nlink == 2


@check
def a_file_without_a_name_does_not_replace_one():
    put("taken", b"old")
    fd = os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o600)
    fails(errno.EEXIST, link_fd, fd, "taken")
    link_fd(fd, "free")
    assert get("taken") == b"old" and get("free") == b""
    os.close(fd)


@check
def a_file_that_shall_never_have_a_name_gets_none():
    fd = os.open(".", os.O_TMPFILE | os.O_EXCL | os.O_RDWR, 0o600)
    fails(errno.ENOENT, link_fd, fd, "shown")
    os.close(fd)
    assert os.listdir(".") == []


@check
def large_files_without_a_name_are_read_back():
    block = random.Random(3).randbytes(1 << 20)
    fds = [os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)]
    fds.append(os.open("gone", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    fds.append(os.open("gone2", os.O_CREAT | os.O_RDWR, 0o600))
    os.unlink("gone")
    os.unlink("gone2")
    for fd in fds:
        for i in range(24):
            assert os.pwrite(fd, block, i << 20) == len(block)
        os.fsync(fd)
        for i in range(24):
            assert os.pread(fd, len(block), i << 20) == block
        assert os.fstat(fd).st_size == 24 << 20
    link_fd(fds[0], "large")
    for fd in fds:
        os.close(fd)
    assert os.listdir(".") == ["large"]
    assert get("large") == block * 24


# ---- names, links, directories ----


@check
def names_and_paths_have_the_usual_limits():
    for name in ("x" * 255, "\u00fc" * 127 + "x", "new\nline \\ \" *", "..."):
        put(name)
        assert name in os.listdir(".")
        os.unlink(name)
    fails(errno.ENAMETOOLONG, put, "x" * 256)
    fails(errno.ENAMETOOLONG, os.mkdir, "x" * 256)
    fails(errno.ENAMETOOLONG, os.stat, "x" * 256)
    fails(errno.ENAMETOOLONG, os.rename, "x" * 256, "y")
    fails(errno.ENAMETOOLONG, os.stat, "y/" * 2048 + "z")
    os.symlink("t" * 4095, "long")
    assert os.readlink("long") == "t" * 4095
    fails(errno.ENAMETOOLONG, os.symlink, "t" * 4096, "longer")
    fails(errno.ENOENT, os.symlink, "", "empty")
    os.symlink("loop", "loop")
    fails(errno.ELOOP, get, "loop")
    depth = 0
    while depth < 16:
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
        depth += 1
    put("deep")
    for _ in range(depth):
        os.chdir("..")


@check
def every_kind_of_thing_is_renamed_onto_every_other():
    make = {
        "none": lambda n: None,
        "file": put,
        "link": lambda n: os.symlink("x", n),
        "fifo": os.mkfifo,
        "dir": os.mkdir,
        "full": lambda n: (os.mkdir(n), put(n + "/in")),
    }
    directory = ("dir", "full")
    for a in make:
        for b in make:
            for flags in (0, NOREPLACE, EXCHANGE):
                d = "%s-%s-%d" % (a, b, flags)
                os.mkdir(d)
                make[a](d + "/a")
                make[b](d + "/b")
                want = None
                if a == "none":
                    want = errno.ENOENT
                elif flags == NOREPLACE:
                    want = errno.EEXIST if b != "none" else None
                elif flags == EXCHANGE:
                    want = errno.ENOENT if b == "none" else None
                elif b == "none":
                    want = None
                elif a in directory and b not in directory:
                    want = errno.ENOTDIR
                elif a not in directory and b in directory:
                    want = errno.EISDIR
                elif b == "full":
                    want = (errno.ENOTEMPTY, errno.EEXIST)
                ino = os.lstat(d + "/a").st_ino if a != "none" else 0
                if want:
                    fails(want, renameat2, d + "/a", d + "/b", flags)
                else:
                    renameat2(d + "/a", d + "/b", flags)
                    assert os.lstat(d + "/b").st_ino == ino
                    assert os.path.lexists(d + "/a") == (flags == EXCHANGE)


@check
def a_rename_refuses_what_it_must():
    os.makedirs("a/b/c")
    put("f")
    os.link("f", "g")
    fails(errno.EINVAL, os.rename, "a", "a/b/c/a")
    fails(errno.EINVAL, os.rename, "a", "a/x")
    fails((errno.ENOTEMPTY, errno.EEXIST), os.rename, "a/b/c", "a")
    fails(errno.ENOTDIR, os.rename, "f/x", "y")
    fails(errno.ENOTDIR, os.rename, "f", "g/x")
    fails(errno.ENOENT, os.rename, "f", "none/x")
    fails((errno.EBUSY, errno.EINVAL), os.rename, "a/.", "x")
    fails((errno.EBUSY, errno.EINVAL, errno.EEXIST, errno.ENOTEMPTY), os.rename, "a", "..")
    os.rename("f", "g")  # two names of one file: nothing happens
    assert sorted(os.listdir(".")) == ["a", "f", "g"]
    fails(errno.EINVAL, renameat2, "f", "g", NOREPLACE | EXCHANGE)
    fails((errno.ENOTEMPTY, errno.EEXIST, errno.EINVAL), renameat2, "a", "a/b", 0)
    fails(errno.EINVAL, renameat2, "a", "a/b", EXCHANGE)
    fails(errno.EINVAL, renameat2, "f", "new", WHITEOUT)
    assert sorted(os.listdir(".")) == ["a", "f", "g"]


@check
def names_are_removed_by_the_right_call_only():
    os.mkdir("d")
    put("d/f")
    fails(errno.ENOTDIR, os.rmdir, "d/f")
    fails((errno.EISDIR, errno.EPERM), os.unlink, "d")
    fails((errno.ENOTEMPTY, errno.EEXIST), os.rmdir, "d")
    fails((errno.EINVAL,), os.rmdir, "d/.")
    fails((errno.ENOTEMPTY, errno.EEXIST), os.rmdir, "d/..")
    fails(errno.EPERM, os.link, "d", "e")
    fails(errno.ENOTDIR, os.stat, "d/f/x")
    fails(errno.ENOTDIR, os.unlink, "d/f/")
    fails(errno.EEXIST, os.mkdir, "d")
    fails(errno.EEXIST, os.symlink, "x", "d/f")
    fails(errno.EEXIST, os.link, "d/f", "d/f")
    os.unlink("d/f")
    os.rmdir("d")


@check
def a_removed_directory_that_is_open_takes_no_names():
    os.mkdir("d")
    fd = os.open("d", os.O_RDONLY)
    os.rmdir("d")
    fails(errno.ENOENT, os.open, "x", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    fails(errno.ENOENT, os.mkdir, "x", dir_fd=fd)
    assert os.listdir(fd) == []
    assert os.fstat(fd).st_nlink == 0
    os.close(fd)


@check
def a_directory_that_was_replaced_has_no_links():
    os.mkdir("a")
    os.mkdir("b")
    fd = os.open("b", os.O_RDONLY)
    os.rename("a", "b")
    assert os.fstat(fd).st_nlink == 0
    assert os.stat("b").st_nlink == 2
    os.close(fd)


@check
def links_and_subdirectories_are_counted():
    put("f")
    os.mkdir("d")
    for i in range(20):
        os.link("f", "d/l%d" % i)
    assert os.stat("f").st_nlink == 21
    assert os.stat("d").st_nlink == 2
    for i in range(5):
        os.mkdir("d/s%d" % i)
    assert os.stat("d").st_nlink == 7
    os.rename("d/s0", "s0")
    os.rmdir("d/s1")
    assert os.stat("d").st_nlink == 5
    os.mkdir("d/s1")
    os.rename("d/s1", "d/s2")
    assert os.stat("d").st_nlink == 5
    for i in range(20):
        os.unlink("d/l%d" % i)
    assert os.stat("f").st_nlink == 1


@check
def dot_dot_follows_a_directory_that_moves():
    os.makedirs("a/sub")
    os.mkdir("b")
    os.rename("a/sub", "b/sub")
    assert os.stat("b/sub/..").st_ino == os.stat("b").st_ino
    os.makedirs("b/c/deep")
    renameat2("b/sub", "b/c", EXCHANGE)
    assert os.listdir("b/sub") == ["deep"] and os.listdir("b/c") == []
    os.rename("b/sub/deep", "deep")
    assert os.stat("deep/..").st_ino == os.stat(".").st_ino


@check
def positions_in_a_listing_stay_where_they_are():
    count = 3000
    os.mkdir("d")
    for i in range(count):
        put("d/%d" % i, b"")

    class Dirent(ctypes.Structure):
        _fields_ = [("ino", ctypes.c_ulong), ("off", ctypes.c_long),
                    ("reclen", ctypes.c_ushort), ("type", ctypes.c_ubyte),
                    ("name", ctypes.c_char * 256)]

    libc.opendir.restype = libc.telldir.restype = libc.readdir.restype = ctypes.c_void_p
    d = ctypes.c_void_p(libc.opendir(b"d"))

    def read():
        p = libc.readdir(d)
        return Dirent.from_address(p).name if p else None

    seen = []
    while True:
        at = libc.telldir(d) or 0
        name = read()
        if name is None:
            break
        seen.append((at, name))
    assert len(seen) == count + 2 and len({n for _, n in seen}) == count + 2
    for at, name in random.Random(1).sample(seen, 200):
        libc.seekdir(d, ctypes.c_long(at))
        assert read() == name
    put("d/new")
    libc.rewinddir(d)
    again = set(iter(read, None))
    assert again == {n for _, n in seen} | {b"new"}
    libc.closedir(d)


@check
def a_listing_tells_types_and_inode_numbers():
    put("file")
    os.mkdir("dir")
    os.symlink("x", "link")
    os.mkfifo("fifo")
    s = socket.socket(socket.AF_UNIX)
    s.bind("sock")
    with os.scandir(".") as it:
        for e in it:
            st = os.lstat(e.name)
            assert e.inode() == st.st_ino, e.name
            assert e.is_dir(follow_symlinks=False) == stat.S_ISDIR(st.st_mode)
            assert e.is_file(follow_symlinks=False) == stat.S_ISREG(st.st_mode)
            assert e.is_symlink() == stat.S_ISLNK(st.st_mode)
    assert stat.S_ISSOCK(os.stat("sock").st_mode) and stat.S_ISFIFO(os.stat("fifo").st_mode)


@check
def names_removed_while_listing_do_not_hide_others():
    os.mkdir("d")
    for i in range(2500):
        put("d/%d" % i, b"")
    seen = []
    with os.scandir("d") as it:
        for e in it:
            seen.append(e.name)
            if e.name in ("1", "7", "99"):
                continue
            os.unlink("d/" + e.name)
    assert len(set(seen)) == len(seen) == 2500
    assert sorted(os.listdir("d")) == ["1", "7", "99"]


# ---- special files ----


@check
def a_fifo_and_a_socket_carry_bytes():
    os.mkfifo("fifo")
    pid = child(put, "fifo", b"through")
    assert get("fifo") == b"through"
    assert ended(pid) == 0
    server = socket.socket(socket.AF_UNIX)
    server.bind("sock")
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect("sock")
    client.sendall(b"x")
    assert server.accept()[0].recv(1) == b"x"
    os.rename("sock", "moved")
    client = socket.socket(socket.AF_UNIX)
    client.connect("moved")


@root_check
def devices_keep_their_numbers():
    os.mknod("c", 0o644 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod("b", 0o600 | stat.S_IFBLK, os.makedev(259, 70000))
    st = os.stat("c")
    assert stat.S_ISCHR(st.st_mode) and st.st_rdev == os.makedev(1, 3)
    st = os.stat("b")
    assert stat.S_ISBLK(st.st_mode) and st.st_rdev == os.makedev(259, 70000), st.st_rdev


# ---- the rest ----


@check
def statfs_means_something():
    st = os.statvfs(".")
    assert st.f_namemax == 255 and st.f_bsize > 0
    assert 0 < st.f_bavail <= st.f_bfree <= st.f_blocks
    assert st.f_ffree > 0 and st.f_files >= st.f_ffree


@check
def inode_numbers_are_unique_and_stay():
    ids = {}
    for i in range(200):
        put("f%d" % i)
        ids[os.stat("f%d" % i).st_ino] = i
    assert len(ids) == 200
    for ino, i in ids.items():
        os.rename("f%d" % i, "g%d" % i)
        assert os.stat("g%d" % i).st_ino == ino


class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]


def handle_of(path):
    h, mount = Handle(bytes=128), ctypes.c_int()
    call("name_to_handle_at", AT_FDCWD, path.encode(), ctypes.byref(h), ctypes.byref(mount), 0)
    return h


def open_handle(root, handle):
    return call("open_by_handle_at", root, ctypes.byref(handle), os.O_RDONLY)


@root_check
def a_handle_opens_its_file_again():
    put("f", b"by handle")
    os.makedirs("d/e")
    put("d/e/g", b"deep")
    handles = {p: handle_of(p) for p in ("f", "d", "d/e", "d/e/g")}
    root = os.open(".", os.O_RDONLY)
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")
    for path, h in handles.items():
        fd = open_handle(root, h)
        assert os.fstat(fd).st_ino == os.stat(path).st_ino
        if path == "d/e/g":
            assert os.read(fd, 10) == b"deep"
        if path == "d/e":
            assert os.readlink("/proc/self/fd/%d" % fd).endswith("/d/e")
            assert os.listdir(fd) == ["g"]
        os.close(fd)
    os.rename("f", "moved")
    fd = open_handle(root, handles["f"])
    assert os.read(fd, 20) == b"by handle"
    os.close(fd)
    os.unlink("moved")
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")
    fails(errno.ESTALE, open_handle, root, handles["f"])
    os.close(root)


@check
def a_running_program_cannot_be_written():
    shutil.copy("/bin/sleep", "sleep")
    p = subprocess.Popen(["./sleep", "30"])
    time.sleep(0.1)
    try:
        fails(errno.ETXTBSY, os.open, "sleep", os.O_WRONLY)
    finally:
        p.kill()
        p.wait()
    fd = os.open("sleep", os.O_WRONLY)
    os.close(fd)


@check
def a_descriptor_of_a_path_alone_names_its_file():
    put("f")
    fd = os.open("f", os.O_PATH)
    assert os.fstat(fd).st_size == 4
    os.rename("f", "g")
    assert os.readlink("/proc/self/fd/%d" % fd).endswith("/g")
    os.close(fd)
    d = os.open(".", os.O_PATH | os.O_DIRECTORY)
    assert os.stat("g", dir_fd=d).st_size == 4
    fails(errno.ENOTDIR, os.open, "g", os.O_DIRECTORY)
    fails(errno.ELOOP, lambda: (os.symlink("g", "l"), os.open("l", os.O_NOFOLLOW)))
    fails(errno.EISDIR, os.open, ".", os.O_WRONLY)
    fails(errno.EEXIST, os.open, "l", os.O_CREAT | os.O_EXCL)
