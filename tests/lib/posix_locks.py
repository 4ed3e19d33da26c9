"""posix_locks.py -- record locks and flock."""
import errno
import fcntl
import os
import signal
import struct
import time

from posix_kit import (check, child, ended, fails, put)


def lock(fd, kind, start=0, size=0, wait=False):
    op = fcntl.F_SETLKW if wait else fcntl.F_SETLK
    fcntl.fcntl(fd, op, struct.pack("hhqqi4x", kind, 0, start, size, 0))


def holder(fd, kind, start=0, size=0):
    r = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack("hhqqi4x", kind, 0, start, size, 0))
    kind, _, start, size, pid = struct.unpack("hhqqi4x", r)
    return None if kind == fcntl.F_UNLCK else (kind, start, size, pid)


def is_locked(path, kind=fcntl.F_WRLCK, start=0, size=0):
    """Whether another process could not have the lock."""
    def probe():
        fd = os.open(path, os.O_RDWR)
        lock(fd, kind, start, size)

    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            probe()
            os.write(w, b"0")
        except OSError as e:
            os.write(w, b"1" if e.errno in (errno.EAGAIN, errno.EACCES) else b"?")
        os._exit(0)
    os.waitpid(pid, 0)
    got = os.read(r, 1)
    os.close(r)
    os.close(w)
    assert got in (b"0", b"1")
    return got == b"1"


@check
def record_locks_exclude_ranges_of_other_processes():
    put("f", b"x" * 1000)
    fd = os.open("f", os.O_RDWR)
    lock(fd, fcntl.F_WRLCK, 100, 50)
    assert is_locked("f", start=149, size=1) and not is_locked("f", start=150, size=1)
    assert is_locked("f", start=0, size=0) and not is_locked("f", start=0, size=100)
    lock(fd, fcntl.F_RDLCK, 120, 10)  # splits it
    assert not is_locked("f", fcntl.F_RDLCK, 120, 10) and is_locked("f", fcntl.F_RDLCK, 119, 2)
    lock(fd, fcntl.F_UNLCK, 110, 5)
    assert not is_locked("f", start=110, size=5) and is_locked("f", start=115, size=1)

    parent = os.getpid()

    def look():
        g = os.open("f", os.O_RDWR)
        assert holder(g, fcntl.F_WRLCK, 0, 0) == (fcntl.F_WRLCK, 100, 10, parent)
        assert holder(g, fcntl.F_RDLCK, 120, 10) is None

    assert ended(child(look)) == 0
    assert holder(fd, fcntl.F_WRLCK) is None  # one's own locks are no obstacle
    os.close(fd)


@check
def closing_any_descriptor_ends_a_process_s_record_locks():
    put("f")
    for mode, kind in ((os.O_RDWR, fcntl.F_WRLCK), (os.O_RDONLY, fcntl.F_RDLCK)):
        fd = os.open("f", mode)
        lock(fd, kind)
        assert is_locked("f")
        os.close(os.open("f", os.O_RDONLY))
        assert not is_locked("f")
        lock(fd, kind)
        os.close(fd)
        assert not is_locked("f")
    pid = child(lambda: (lock(os.open("f", os.O_RDWR), fcntl.F_WRLCK), time.sleep(0.1)))
    ended(pid)
    assert not is_locked("f")
    r, w = os.pipe()

    def hold():
        lock(os.open("f", os.O_RDWR), fcntl.F_WRLCK)
        os.write(w, b"x")
        time.sleep(100)

    pid = child(hold)
    os.read(r, 1)
    assert is_locked("f")
    os.kill(pid, signal.SIGKILL)
    ended(pid)
    assert not is_locked("f")


@check
def a_lock_is_waited_for():
    put("f")
    for name in ("record", "flock"):
        fd = os.open("f", os.O_RDWR)
        r, w = os.pipe()

        def wait_for():
            g = os.open("f", os.O_RDWR)
            os.write(w, b"1")
            if name == "record":
                lock(g, fcntl.F_WRLCK, wait=True)
            else:
                fcntl.flock(g, fcntl.LOCK_EX)
            os.write(w, b"2")

        if name == "record":
            lock(fd, fcntl.F_WRLCK)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX)
        pid = child(wait_for)
        assert os.read(r, 1) == b"1"
        time.sleep(0.1)
        os.set_blocking(r, False)
        fails(errno.EAGAIN, os.read, r, 1)
        os.set_blocking(r, True)
        if name == "record":
            lock(fd, fcntl.F_UNLCK)
        else:
            fcntl.flock(fd, fcntl.LOCK_UN)
        assert os.read(r, 1) == b"2"
        assert ended(pid) == 0
        os.close(fd)


@check
def waiting_for_a_lock_can_be_interrupted():
    put("f")
    fd = os.open("f", os.O_RDWR)
    lock(fd, fcntl.F_WRLCK)
    fcntl.flock(fd, fcntl.LOCK_EX)

    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    def wait_for(take):
        g = os.open("f", os.O_RDWR)
        signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            take(g)
        except Alarm:
            return
        raise AssertionError("not interrupted")

    assert ended(child(wait_for, lambda g: lock(g, fcntl.F_WRLCK, wait=True))) == 0
    assert ended(child(wait_for, lambda g: fcntl.flock(g, fcntl.LOCK_EX))) == 0

    def killed(g=None):
        fcntl.flock(os.open("f", os.O_RDWR), fcntl.LOCK_EX)

    pid = child(killed)
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    assert ended(pid) == -signal.SIGKILL
    os.close(fd)
    fcntl.flock(os.open("f", os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)


@check
def flock_belongs_to_the_open_file():
    put("f")
    a, b = os.open("f", os.O_RDWR), os.open("f", os.O_RDONLY)
    fcntl.flock(a, fcntl.LOCK_SH)
    fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fails(errno.EWOULDBLOCK, fcntl.flock, a, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(b, fcntl.LOCK_UN)
    fcntl.flock(a, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fails(errno.EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    c = os.dup(a)
    os.close(a)
    fails(errno.EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    lock(c, fcntl.F_WRLCK)  # the two kinds do not see each other
    os.close(c)
    deadline = time.time() + 10
    while True:  # the last close ends it, a moment later
        try:
            fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            assert time.time() < deadline
            time.sleep(0.01)
    os.close(b)


@check
def two_waiters_for_each_other_are_told():
    put("f", b"xx")
    fd = os.open("f", os.O_RDWR)
    lock(fd, fcntl.F_WRLCK, 0, 1)
    r, w = os.pipe()

    def other():
        g = os.open("f", os.O_RDWR)
        lock(g, fcntl.F_WRLCK, 1, 1)
        os.write(w, b"x")
        try:
            lock(g, fcntl.F_WRLCK, 0, 1, wait=True)
        except OSError as e:
            assert e.errno == errno.EDEADLK
        os.close(g)

    pid = child(other)
    os.read(r, 1)
    time.sleep(0.1)
    try:
        lock(fd, fcntl.F_WRLCK, 1, 1, wait=True)
    except OSError as e:
        assert e.errno == errno.EDEADLK
    os.close(fd)
    assert ended(pid) == 0
