"""posix_data.py -- what is in files: calls, mappings, holes, copies."""
import ctypes
import errno
import mmap
import os
import random
import subprocess
import time

from posix_kit import (call, check, child, ended, fails, fallocate, get, put)

# ---- contents ----


@check
def appends_of_many_processes_all_arrive():
    def work(i):
        fd = os.open("log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
        for n in range(100):
            os.write(fd, b"%d %d %s\n" % (i, n, b"x" * (i * 37 % 100)))
        os.close(fd)

    pids = [child(work, i) for i in range(8)]
    assert [ended(p) for p in pids] == [0] * 8
    lines = get("log").splitlines()
    assert len(lines) == 800 and len({tuple(x.split()[:2]) for x in lines}) == 800
    for i in range(8):
        own = [int(x.split()[1]) for x in lines if x.startswith(b"%d " % i)]
        assert own == list(range(100))


@check
def a_redirected_command_leaves_what_it_said():
    for n in range(20):  # the shell closes a copy of the descriptor, then the command its own
        said = f"echo {n} >f; (echo a; echo b) >>f; echo once >g{n}"
        subprocess.run(said, shell=True, check=True)
        assert get("f") == b"%d\na\nb\n" % n and get(f"g{n}") == b"once\n"
    assert len(os.listdir(".")) == 21


@check
def an_unlinked_file_works_while_it_is_open():
    fd = os.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    os.write(fd, b"kept")
    os.close(fd)
    fd = os.open("f", os.O_RDWR)
    os.unlink("f")
    assert os.fstat(fd).st_nlink == 0
    os.pwrite(fd, b"more" * 100000, 4)
    assert os.pread(fd, 8, 0) == b"keptmore"
    os.ftruncate(fd, 2)
    os.fchmod(fd, 0o600)
    put("f", b"other")
    assert os.pread(fd, 10, 0) == b"ke" and get("f") == b"other"
    os.close(fd)


@check
def sparse_files_reach_a_terabyte():
    tera = 1 << 40
    with open("f", "wb") as f:
        f.truncate(5 * tera)
        for i in (0, 1, 2, 3, 4):
            f.seek(i * tera + 12345)
            f.write(b"here%d" % i)
    st = os.stat("f")
    assert st.st_size == 5 * tera and st.st_blocks * 512 < 1 << 22, st
    fd = os.open("f", os.O_RDWR)
    assert os.pread(fd, 10, 3 * tera + 12340) == b"\0" * 5 + b"here3"
    at, found = 0, []
    while True:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as e:
            assert e.errno == errno.ENXIO
            break
        at = os.lseek(fd, data, os.SEEK_HOLE)
        assert at - data <= 1 << 20
        found.append(data // tera)
    assert found == [0, 1, 2, 3, 4], found
    os.ftruncate(fd, 3 * tera)
    os.ftruncate(fd, 4 * tera)
    assert os.pread(fd, 10, 3 * tera + 12345) == b"\0" * 10
    top = (1 << 63) - 1
    fails((errno.EFBIG, errno.EINVAL), os.pwrite, fd, b"xx", top - 1)
    os.close(fd)


@check
def fallocate_does_in_every_mode_what_it_says():
    KEEP, PUNCH, COLLAPSE, ZERO, INSERT = 1, 2, 8, 16, 32
    size = 1 << 20
    fd = os.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    os.write(fd, b"z" * size)
    fallocate(fd, KEEP, size, size)
    assert os.fstat(fd).st_size == size
    fallocate(fd, 0, size, size)
    assert os.fstat(fd).st_size == 2 * size
    assert os.pread(fd, 10, size + 5) == b"\0" * 10
    fallocate(fd, PUNCH | KEEP, 5000, 10000)
    assert os.pread(fd, 12000, 4000) == b"z" * 1000 + b"\0" * 10000 + b"z" * 1000
    fallocate(fd, ZERO, 20000, 10)
    assert os.pread(fd, 12, 19999) == b"z" + b"\0" * 10 + b"z"
    fallocate(fd, ZERO, 2 * size - 5, 10)
    assert os.fstat(fd).st_size == 2 * size + 5
    fallocate(fd, ZERO | KEEP, 2 * size, 4096)
    assert os.fstat(fd).st_size == 2 * size + 5
    fallocate(fd, PUNCH | KEEP, 0, 1 << 40)
    assert os.pread(fd, 1 << 16, 30000) == b"\0" * (1 << 16)
    assert os.fstat(fd).st_blocks == 0, os.fstat(fd).st_blocks
    fails(errno.EOPNOTSUPP, fallocate, fd, PUNCH, 0, 10)
    for mode in (COLLAPSE, INSERT):
        try:
            fallocate(fd, mode, 0, 4096)
        except OSError as e:
            assert e.errno == errno.EOPNOTSUPP
    fails(errno.EINVAL, fallocate, fd, 0, 0, 0)
    fails(errno.EINVAL, fallocate, fd, 0, -1, 10)
    fails(errno.EFBIG, fallocate, fd, 0, (1 << 63) - 10, 100)
    ro = os.open("f", os.O_RDONLY)
    fails(errno.EBADF, fallocate, ro, 0, 0, 10)
    os.close(fd)
    os.close(ro)


@check
def holes_and_data_are_found():
    fd = os.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    fails(errno.ENXIO, os.lseek, fd, 0, os.SEEK_DATA)
    os.pwrite(fd, b"x" * 65536, 1 << 20)
    os.ftruncate(fd, 3 << 20)
    for again in (False, True):
        assert os.lseek(fd, 0, os.SEEK_DATA) == 1 << 20
        assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
        assert os.lseek(fd, 1 << 20, os.SEEK_HOLE) == (1 << 20) + 65536
        assert os.lseek(fd, (1 << 20) + 5, os.SEEK_DATA) == (1 << 20) + 5
        fails(errno.ENXIO, os.lseek, fd, 2 << 20, os.SEEK_DATA)
        fails(errno.ENXIO, os.lseek, fd, 3 << 20, os.SEEK_HOLE)
        if not again:
            os.close(fd)
            fd = os.open("f", os.O_RDONLY)
    os.close(fd)


@check
def direct_io_works():
    data = random.Random(5).randbytes(1 << 20)
    with mmap.mmap(-1, 1 << 20) as buf:
        buf[:] = data
        fd = os.open("f", os.O_CREAT | os.O_RDWR | os.O_DIRECT, 0o644)
        for off in range(0, 1 << 20, 1 << 16):
            assert os.pwrite(fd, memoryview(buf)[off:off + (1 << 16)], off) == 1 << 16
        with mmap.mmap(-1, 1 << 20) as back:
            assert os.preadv(fd, [back], 0) == 1 << 20
            assert back[:] == data
        os.close(fd)
    assert get("f") == data


@check
def direct_and_buffered_io_see_each_other():
    with mmap.mmap(-1, 8192) as buf:
        direct = os.open("f", os.O_CREAT | os.O_RDWR | os.O_DIRECT, 0o644)
        plain = os.open("f", os.O_RDWR)
        for i in range(20):
            buf[:] = bytes([i + 1]) * 8192
            os.pwrite(direct, buf, 8192 * i)
            assert os.pread(plain, 8192, 8192 * i) == buf[:]
            os.pwrite(plain, b"plain%d" % i, 8192 * i)
            with mmap.mmap(-1, 8192) as back:
                os.preadv(direct, [back], 8192 * i)
                assert back[:8] == (b"plain%d" % i + buf[:])[:8]
        os.close(direct)
        os.close(plain)


class Iocb(ctypes.Structure):  # struct iocb of linux/aio_abi.h
    _fields_ = [("data", ctypes.c_ulonglong), ("key", ctypes.c_uint), ("flags", ctypes.c_int),
                ("op", ctypes.c_ushort), ("prio", ctypes.c_short), ("fd", ctypes.c_uint),
                ("buf", ctypes.c_ulonglong), ("bytes", ctypes.c_ulonglong),
                ("off", ctypes.c_longlong), ("more", ctypes.c_ulonglong * 2)]


IO_NUMBERS = {"x86_64": (206, 209, 208), "aarch64": (0, 2, 4)}  # io_setup, _submit, _getevents


@check
def no_old_pages_stay_from_reads_beside_asynchronous_direct_writes():
    setup, submit, getevents = IO_NUMBERS[os.uname().machine]
    size, context = 655360, ctypes.c_ulong(0)
    put("f", b"0" * size)

    def read_on():
        while not os.path.exists("stop"):
            get("f")

    def write(buf, address):
        fd = os.open("f", os.O_RDWR | os.O_DIRECT)
        cb = Iocb(op=1, fd=fd, buf=address, bytes=size)
        result = (ctypes.c_ulonglong * 4)()
        call("syscall", submit, context, 1, ctypes.byref(ctypes.pointer(cb)))
        call("syscall", getevents, context, 1, 1, result, None)
        os.close(fd)
        assert result[2] == size

    readers = [child(read_on) for _ in range(2)]
    try:
        call("syscall", setup, 1, ctypes.byref(context))
        buf = mmap.mmap(-1, size)
        address = ctypes.addressof(ctypes.c_char.from_buffer(buf))
        for i in range(150):
            buf[:] = bytes([i]) * size
            write(buf, address)
            assert get("f") == buf[:], i
    finally:
        put("stop")
        status = [ended(p) for p in readers]
    assert status == [0, 0]


@check
def mappings_and_calls_see_each_other():
    put("f", b"a" * 20000)
    fd = os.open("f", os.O_RDWR)
    shared = mmap.mmap(fd, 20000)
    private = mmap.mmap(fd, 20000, mmap.MAP_PRIVATE)
    os.pwrite(fd, b"written", 5000)
    assert shared[5000:5007] == b"written"
    shared[9000:9006] = b"mapped"
    assert os.pread(fd, 6, 9000) == b"mapped"
    private[100:107] = b"private"
    assert os.pread(fd, 7, 100) == b"a" * 7
    assert get("f")[9000:9006] == b"mapped"

    def other():
        g = os.open("f", os.O_RDWR)
        with mmap.mmap(g, 20000) as m:
            assert m[9000:9006] == b"mapped"
            m[12000:12005] = b"child"
        os.close(g)

    assert ended(child(other)) == 0
    assert shared[12000:12005] == b"child" and os.pread(fd, 5, 12000) == b"child"
    os.ftruncate(fd, 4096)
    os.ftruncate(fd, 20000)
    assert shared[5000:5007] == b"\0" * 7
    shared[5000:5004] = b"last"
    shared.flush()
    os.close(fd)
    del shared
    assert get("f")[5000:5004] == b"last"


@check
def a_mapping_of_an_unlinked_file_works():
    put("f", b"x" * 8192)
    fd = os.open("f", os.O_RDWR)
    m = mmap.mmap(fd, 8192)
    os.unlink("f")
    os.close(fd)
    m[0:5] = b"still"
    m.flush()
    assert m[0:6] == b"stillx"


# ---- copies ----


@check
def copy_file_range_copies_what_it_is_asked_to():
    data = random.Random(9).randbytes((3 << 20) + 777)
    put("a", data)
    src, dst = os.open("a", os.O_RDONLY), os.open("b", os.O_CREAT | os.O_RDWR, 0o644)
    want = bytearray()
    rng = random.Random(4)
    for _ in range(40):
        off, to = rng.randrange(len(data)), rng.randrange(4 << 20)
        size = rng.choice((1, 100, 4096, 70000, 1 << 20, 2 << 20))
        size = min(size, len(data) - off)
        done = 0
        while done < size:
            n = os.copy_file_range(src, dst, size - done, off + done, to + done)
            assert n > 0
            done += n
        want.extend(b"\0" * max(0, to + size - len(want)))
        want[to:to + size] = data[off:off + size]
        if rng.random() < 0.3:
            os.pwrite(dst, b"between", to)
            want[to:to + 7] = b"between"
    assert os.copy_file_range(src, dst, 100, len(data), 0) == 0
    assert os.fstat(dst).st_size == len(want)
    os.close(dst)
    assert get("b") == bytes(want)
    assert get("a") == data
    fd = os.open("b", os.O_RDWR)
    assert os.copy_file_range(fd, fd, 1000, 0, 500000) == 1000
    fails(errno.EINVAL, os.copy_file_range, fd, fd, 1000, 0, 500)
    assert os.pread(fd, 1000, 500000) == bytes(want[:1000])
    fails(errno.EBADF, os.copy_file_range, fd, src, 10, 0, 0)
    os.close(fd)
    os.close(src)
    put("b", b"changed")
    os.unlink("b")
    assert get("a") == data


@check
def a_copy_does_not_change_with_its_source():
    size = 9 << 20
    data = random.Random(6).randbytes(size)
    put("a", data)
    src, dst = os.open("a", os.O_RDWR), os.open("b", os.O_CREAT | os.O_RDWR, 0o644)
    done = 0
    while done < size:
        done += os.copy_file_range(src, dst, size - done)
    for i in range(0, size, 1 << 20):
        os.pwrite(src, b"source", i + 4000)
        os.pwrite(dst, b"target", i + 8000)
    os.close(src)
    os.close(dst)
    a, b = get("a"), get("b")
    os.unlink("a")
    time.sleep(0.1)
    for i in range(0, size, 1 << 20):
        assert a[i + 4000:i + 4006] == b"source" and b[i + 4000:i + 4006] == data[i + 4000:i + 4006]
        assert b[i + 8000:i + 8006] == b"target" and a[i + 8000:i + 8006] == data[i + 8000:i + 8006]
    assert get("b") == b
