"""holder.py -- a reader and a writer that have files open while something happens to the nodes.

    holder.py DIR cmd...    DIR/read and DIR/write are made, opened and used to the middle, then cmd
                            runs; the rest, and all again without the kernel's cache, must be right
"""
import os
import random
import subprocess
import sys

PIECE = 1 << 20
PIECES = 24


def pieces(seed):
    rng = random.Random(seed)
    return [rng.randbytes(PIECE) for _ in range(PIECES)]


def uncached(fd):
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def equal(fd, want, first, after):
    for i in range(first, after):
        got = os.pread(fd, PIECE, i * PIECE)
        assert got == want[i], "piece %d of %d bytes" % (i, len(got))


def put(fd, want, first, after):
    for i in range(first, after):
        assert os.pwrite(fd, want[i], i * PIECE) == PIECE


def main(where, command):
    old, new = pieces(1), pieces(2)
    middle = PIECES // 2
    fd = os.open(where + "/read", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    put(fd, old, 0, PIECES)
    uncached(fd)
    os.close(fd)
    reader = os.open(where + "/read", os.O_RDONLY)
    writer = os.open(where + "/write", os.O_CREAT | os.O_RDWR | os.O_TRUNC)
    equal(reader, old, 0, middle)
    put(writer, new, 0, middle)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    equal(reader, old, middle, PIECES)
    put(writer, new, middle, PIECES)
    for fd, want in ((reader, old), (writer, new)):
        uncached(fd)
        equal(fd, want, 0, PIECES)
        os.close(fd)
    for name, want in (("read", old), ("write", new)):
        fd = os.open(where + "/" + name, os.O_RDONLY)
        equal(fd, want, 0, PIECES)
        os.close(fd)


main(sys.argv[1], sys.argv[2:])
