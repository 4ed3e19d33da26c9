#!/usr/bin/env python3
"""calls.py -- system calls that no ordinary tool makes, for the tests on real mounts.

    calls.py rename OLD NEW FLAGS           renameat2; prints the errno name on failure
    calls.py excl PATH                      open with O_CREAT|O_EXCL
    calls.py append PATH N TEXT             N writes with O_APPEND
    calls.py unlinked PATH                  writes, unlinks, reads back through the open file
    calls.py mmap PATH                      changes a file through a shared mapping
    calls.py holes PATH                     data and holes as SEEK_DATA and SEEK_HOLE see them
    calls.py socket PATH                    binds a unix socket
    calls.py fsync PATH TEXT                writes, fsyncs, closes
    calls.py fill DIR                       files of 4 MiB that are synced, until one fails
    calls.py write PATH TEXT                open, write, close in one process; errors by name
    calls.py reread PATH PATH2 TEXT         reads PATH, waits for PATH2, then saves over PATH

Exit status 1 and the name of the errno when a call fails.
"""
import ctypes
import errno
import mmap
import os
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)


def rename(old, new, flags):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), int(flags)) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def excl(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def append(path, count, text):
    fd = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
    for _ in range(int(count)):
        os.write(fd, text.encode() + b"\n")
    os.close(fd)


def unlinked(path):
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    os.write(fd, b"kept")
    os.unlink(path)
    os.write(fd, b" while open")
    assert os.pread(fd, 100, 0) == b"kept while open"
    assert os.fstat(fd).st_nlink == 0, os.fstat(fd).st_nlink
    os.close(fd)
    assert not os.path.exists(path)


def shared_mmap(path):
    with open(path, "wb") as f:
        f.write(b"a" * 10000)
    with open(path, "r+b") as f:
        with mmap.mmap(f.fileno(), 0) as m:
            m[5000:5005] = b"HELLO"
            m.flush()
    with open(path, "rb") as f:
        data = f.read()
    assert data == b"a" * 5000 + b"HELLO" + b"a" * 4995


def holes(path):
    fd = os.open(path, os.O_RDONLY)
    size, at, out = os.fstat(fd).st_size, 0, []
    while at < size:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as e:
            if e.errno != errno.ENXIO:
                raise
            break
        at = os.lseek(fd, data, os.SEEK_HOLE)
        out.append("%d-%d" % (data, at))
    print(" ".join(out))


def bind(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)


def fsync(path, text):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    os.write(fd, text.encode())
    os.fsync(fd)
    os.close(fd)


def fill(where):
    for i in range(32):
        fd = os.open("%s/%d" % (where, i), os.O_CREAT | os.O_WRONLY)
        os.write(fd, os.urandom(4 << 20))
        os.fsync(fd)
        os.close(fd)


def write(path, text):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    os.write(fd, text.encode())
    os.close(fd)


def read_and_wait(path, signal):
    with open(path) as f:
        f.read()
    open(signal + ".ready", "w").close()
    while not os.path.exists(signal):
        time.sleep(0.05)


def reread(path, signal, text):
    """An editor: one process that has read a file and later saves it by rename."""
    read_and_wait(path, signal)
    with open(path + ".tmp", "w") as f:
        f.write(text)
    os.rename(path + ".tmp", path)


def rewrite(path, signal, text):
    """The same, by O_TRUNC."""
    read_and_wait(path, signal)
    with open(path, "w") as f:
        f.write(text)


CALLS = {"rename": rename, "excl": excl, "append": append, "unlinked": unlinked,
         "mmap": shared_mmap, "holes": holes, "socket": bind, "fsync": fsync, "fill": fill,
         "write": write, "reread": reread, "rewrite": rewrite}

if len(sys.argv) < 2 or sys.argv[1] not in CALLS:
    sys.exit(__doc__)
try:
    CALLS[sys.argv[1]](*sys.argv[2:])
except OSError as e:
    sys.exit(errno.errorcode.get(e.errno, str(e.errno)))
