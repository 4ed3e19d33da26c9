"""posix_attrs.py -- who may do what, when it was done, and extended attributes."""
import ctypes
import errno
import mmap
import os
import stat
import time

from posix_kit import (as_user, call, check, fails, fallocate, get, put, root_check)

# ---- permissions ----


@root_check
def a_sticky_directory_protects_files_of_others():
    os.chmod(".", 0o755)
    os.mkdir("pub")
    os.chmod("pub", 0o1777)
    put("pub/root")
    os.chmod("pub/root", 0o666)

    def user():
        put("pub/mine")
        fails((errno.EPERM, errno.EACCES), os.unlink, "pub/root")
        fails((errno.EPERM, errno.EACCES), os.rename, "pub/root", "pub/x")
        fails((errno.EPERM, errno.EACCES), os.rename, "pub/mine", "pub/root")
        put("pub/root", b"written")
        os.rename("pub/mine", "pub/mine2")
        os.unlink("pub/mine2")

    as_user(65534, 65534, user)
    assert get("pub/root") == b"written"


@root_check
def a_setgid_directory_hands_its_group_down():
    os.chmod(".", 0o755)
    os.mkdir("d")
    os.chown("d", 65534, 7)
    os.chmod("d", 0o2777)

    def user():
        os.umask(0)
        put("d/f")
        os.mkdir("d/sub", 0o755)
        os.mkfifo("d/fifo")
        os.symlink("x", "d/link")
        fd = os.open("d/x", os.O_CREAT | os.O_WRONLY, 0o2775)
        os.close(fd)

    as_user(65533, 65533, user)
    for name in ("f", "sub", "fifo", "link", "x"):
        st = os.lstat("d/" + name)
        assert (st.st_uid, st.st_gid) == (65533, 7), (name, st)
    assert stat.S_IMODE(os.stat("d/sub").st_mode) == 0o2755
    # who is not in the group cannot make a file that runs with it
    assert stat.S_IMODE(os.stat("d/x").st_mode) == 0o775, oct(os.stat("d/x").st_mode)


@root_check
def writing_takes_setuid_and_setgid_away():
    os.chmod(".", 0o755)
    for how in ("write", "truncate", "open", "chown", "chgrp", "fallocate", "copy"):
        put(how, b"program" * 1000)
        os.chown(how, 65534, 65534)
        os.chmod(how, 0o6777)

        def user():
            fd = os.open(how, os.O_RDWR)
            if how == "write":
                os.write(fd, b"x")
            elif how == "truncate":
                os.truncate(how, 3)
            elif how == "open":
                os.close(os.open(how, os.O_WRONLY | os.O_TRUNC))
            elif how == "chown":
                os.chown(how, 65534, 65534)
            elif how == "chgrp":
                os.chown(how, -1, 65534)
            elif how == "fallocate":
                fallocate(fd, 0, 0, 100000)
            elif how == "copy":
                os.copy_file_range(fd, fd, 1000, 0, 3000)

        as_user(65534, 65534, user)
        mode = stat.S_IMODE(os.stat(how).st_mode)
        assert mode == 0o777, (how, oct(mode))
    put("by-root")
    os.chmod("by-root", 0o6777)
    with open("by-root", "ab") as f:
        f.write(b"x")
    assert stat.S_IMODE(os.stat("by-root").st_mode) == 0o6777
    os.chown("by-root", 3, 3)
    assert stat.S_IMODE(os.stat("by-root").st_mode) == 0o777


@root_check
def setgid_without_group_execution_stays_for_who_is_of_the_group():
    os.chmod(".", 0o755)

    def write(fd):
        os.write(fd, b"x")

    def truncate(fd):
        os.ftruncate(fd, 70000)

    def reopen(fd):
        os.close(os.open("f", os.O_WRONLY | os.O_TRUNC))

    def copy(fd):
        os.copy_file_range(fd, fd, 1000, 0, 3000)

    def own(fd):
        os.chown("f", 65534, -1)

    ways = [write, truncate, reopen, copy, own]
    for mode in (0, 1, 3, 16):  # reserve, keep size, punch, zero
        ways.append(lambda fd, mode=mode: fallocate(fd, mode, 4096, 4096))
    for way in ways:
        for before, after in ((0o6666, 0o666), (0o6766, 0o766), (0o2676, 0o676), (0o4666, 0o666)):
            for gid, groups in ((65534, []), (7, []), (65534, [6, 7])):
                put("f", b"program" * 1000)
                os.chown("f", 65534, 7)
                os.chmod("f", before)

                def user():
                    fd = os.open("f", os.O_RDWR)
                    way(fd)
                    os.close(fd)

                as_user(65534, gid, user, groups=groups)
                want = after
                if before & 0o2010 == 0o2000 and (gid == 7 or groups):
                    want |= 0o2000
                mode = stat.S_IMODE(os.stat("f").st_mode)
                assert mode == want, (way, oct(before), gid, groups, oct(mode))


@root_check
def modes_are_enforced_for_others():
    os.chmod(".", 0o755)
    put("secret")
    os.chmod("secret", 0o640)
    os.chown("secret", 0, 65533)
    os.mkdir("closed", 0o700)
    os.mkdir("search", 0o711)
    put("search/known")
    os.chmod("search/known", 0o644)

    def stranger():
        fails(errno.EACCES, get, "secret")
        fails(errno.EACCES, os.listdir, "closed")
        fails(errno.EACCES, os.stat, "closed/x")
        fails(errno.EACCES, os.listdir, "search")
        assert get("search/known") == b"data"
        fails(errno.EACCES, put, "search/known")
        fails(errno.EACCES, put, "new")
        fails(errno.EPERM, os.chmod, "secret", 0o777)
        fails(errno.EPERM, os.chown, "search/known", 65534, 65534)
        fails(errno.EPERM, os.utime, "search/known", (1, 1))
        fails(errno.EACCES, os.utime, "search/known")

    as_user(65534, 65534, stranger)
    as_user(65534, 65533, lambda: get("secret"))


# ---- times ----


def now_ns(path):
    st = os.lstat(path)
    return st.st_mtime_ns, st.st_ctime_ns


@check
def a_time_before_1970_is_kept():
    put("f")
    os.mkdir("d")
    for name in ("f", "d"):
        for t in (-1, -10 ** 9, -315593940 * 10 ** 9 - 7, -2 ** 31 * 10 ** 9):
            os.utime(name, ns=(t - 1 if t > -10 ** 18 else t, t))
            st = os.stat(name)
            assert st.st_mtime_ns == t, (name, t, st.st_mtime_ns)
            assert st.st_atime_ns == (t - 1 if t > -10 ** 18 else t), (name, t, st.st_atime_ns)
    put("d/x")
    assert os.stat("d").st_mtime_ns > 10 ** 18


@check
def a_time_too_far_away_becomes_the_last_that_there_is():
    put("f")
    for t, least, most in ((-12000000000, -12000000000, -2 ** 31), (253402300799, 2 ** 33,
                                                                    253402300799)):
        os.utime("f", (t, t))
        st = os.stat("f")
        assert least <= st.st_mtime <= most and least <= st.st_atime <= most, (t, st)


@check
def a_change_of_a_directory_counts_after_a_time_in_the_future():
    os.mkdir("d")
    os.utime("d", ns=(1, 2 ** 33 * 10 ** 9))
    put("d/x")
    assert os.stat("d").st_mtime < time.time() + 1


@root_check
def times_do_not_go_back_when_the_kernel_forgets_a_file():
    was = {}
    for i in range(30):
        put(f"f{i}", b"x")
        was[i] = now_ns(f"f{i}")
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")
    for i in range(30):
        new = now_ns(f"f{i}")
        assert new[0] == was[i][0] and new[1] >= was[i][1], (i, was[i], new)


@check
def times_change_when_they_must_and_only_then():
    put("f")
    os.mkdir("d")
    m, c = now_ns("f")

    def after(f, path, mtime, ctime):
        before = now_ns(path)
        time.sleep(0.02)
        f()
        new = now_ns(path)
        assert (new[0] > before[0]) == mtime, (f, path, "mtime", before, new)
        assert (new[1] > before[1]) == ctime, (f, path, "ctime", before, new)

    after(lambda: os.chmod("f", 0o600), "f", False, True)
    after(lambda: os.link("f", "g"), "f", False, True)
    after(lambda: os.link("f", "h"), ".", True, True)
    after(lambda: os.unlink("g"), "f", False, True)
    after(lambda: os.rename("h", "g"), "f", False, True)
    after(lambda: os.setxattr("f", "user.x", b"1"), "f", False, True)
    after(lambda: os.truncate("f", 2), "f", True, True)
    after(lambda: os.truncate("f", 2), "f", True, True)
    after(lambda: put("f", b"new"), "f", True, True)
    after(lambda: get("f"), "f", False, False)
    after(lambda: os.stat("f"), "f", False, False)
    after(lambda: put("d/x"), "d", True, True)
    after(lambda: put("d/x", b"again"), "d", False, False)
    after(lambda: os.mkdir("d/y"), "d", True, True)
    after(lambda: os.rename("d/x", "d/z"), "d", True, True)
    after(lambda: os.rename("d/z", "z"), "d", True, True)
    after(lambda: os.rmdir("d/y"), "d", True, True)
    after(lambda: os.listdir("d"), "d", False, False)
    after(lambda: os.close(os.open("f", os.O_WRONLY | os.O_TRUNC)), "f", True, True)
    after(lambda: os.utime("f", ns=(5, 6)), "f", False, True)
    assert os.stat("f").st_atime_ns == 5 and os.stat("f").st_mtime_ns == 6
    with open("f", "r+b") as fd:
        m = mmap.mmap(fd.fileno(), 0) if os.stat("f").st_size else None
        assert m is None
    for t in (0, 1, 10 ** 9 - 1, 123456789123456789, 2 ** 33 * 10 ** 9 + 7, 10 ** 9 * 2 ** 32):
        os.utime("f", ns=(t, t + 1))
        st = os.stat("f")
        assert (st.st_atime_ns, st.st_mtime_ns) == (t, t + 1), (t, st)
    os.symlink("none", "l")
    os.utime("l", ns=(7, 8), follow_symlinks=False)
    assert os.lstat("l").st_mtime_ns == 8
    put("f2")
    os.utime("f2", ns=(1000, 2000))
    put("f2", b"x" * 10)
    assert os.stat("f2").st_mtime_ns > 10 ** 18


@check
def a_read_changes_no_mtime_where_relatime_would_change_the_atime():
    put("f")
    os.utime("f", ns=(10 ** 9, 2 * 10 ** 9))  # read before it was written: must move
    get("f")
    st = os.stat("f")
    assert st.st_mtime_ns == 2 * 10 ** 9


# ---- extended attributes ----


@check
def extended_attributes_obey_flags_and_limits():
    put("f")
    os.setxattr("f", "user.a", b"1")
    fails(errno.EEXIST, os.setxattr, "f", "user.a", b"2", os.XATTR_CREATE)
    fails(errno.ENODATA, os.setxattr, "f", "user.b", b"2", os.XATTR_REPLACE)
    os.setxattr("f", "user.a", b"2", os.XATTR_REPLACE)
    os.setxattr("f", "user.b", b"", os.XATTR_CREATE)
    assert os.getxattr("f", "user.a") == b"2" and os.getxattr("f", "user.b") == b""
    assert sorted(os.listxattr("f")) == ["user.a", "user.b"]
    fails(errno.ENODATA, os.getxattr, "f", "user.none")
    fails(errno.ENODATA, os.removexattr, "f", "user.none")
    buf = ctypes.create_string_buffer(1)
    os.setxattr("f", "user.c", b"long value")
    fails(errno.ERANGE, call, "getxattr", b"f", b"user.c", buf, 1)
    assert call("getxattr", b"f", b"user.c", None, 0) == 10
    fails(errno.ERANGE, call, "listxattr", b"f", buf, 1)
    os.setxattr("f", "user." + "n" * 250, b"v")
    fails((errno.ERANGE, errno.ENAMETOOLONG), os.setxattr, "f", "user." + "n" * 251, b"v")
    fails((errno.E2BIG, errno.ENOSPC), os.setxattr, "f", "user.big", b"x" * 65537)
    fails((errno.EOPNOTSUPP, errno.EPERM), os.setxattr, "f", "nospace", b"v")
    os.removexattr("f", "user.a")
    assert "user.a" not in os.listxattr("f")
    os.mkdir("d")
    os.setxattr("d", "user.d", b"1")
    os.symlink("f", "l")
    fails(errno.EPERM, os.setxattr, "l", "user.x", b"1", follow_symlinks=False)
    assert "user.b" in os.listxattr("l")


@root_check
def trusted_and_security_attributes_are_kept():
    put("f")
    os.setxattr("f", "trusted.x", b"1")
    os.setxattr("f", "security.ours", b"2")
    assert os.getxattr("f", "trusted.x") == b"1"
    assert os.getxattr("f", "security.ours") == b"2"
