"""posix_kit.py -- what the checks of posix.py share."""
import ctypes
import errno
import os
import signal
import subprocess
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
CHECKS = {}
ROOT_CHECKS = set()
AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4


def check(f):
    CHECKS[f.__name__] = f
    return f


def root_check(f):
    ROOT_CHECKS.add(f.__name__)
    return check(f)


def fails(want, f, *args, **kw):
    """f must raise OSError with the errno `want` (or one of a tuple)."""
    want = want if isinstance(want, tuple) else (want,)
    try:
        f(*args, **kw)
    except OSError as e:
        assert e.errno in want, "wanted %s, got %s" % (
            [errno.errorcode[w] for w in want], errno.errorcode.get(e.errno, e.errno))
        return
    raise AssertionError("succeeded, but must end in %s" % [errno.errorcode[w] for w in want])


def call(name, *args):
    f = getattr(libc, name)
    f.restype = ctypes.c_int
    r = f(*args)
    if r < 0:
        raise OSError(ctypes.get_errno(), name)
    return r


def renameat2(old, new, flags):
    call("renameat2", AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)


def link_fd(fd, name):
    call("linkat", AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD, name.encode(), AT_SYMLINK_FOLLOW)


def fallocate(fd, mode, off, size):
    call("fallocate", fd, mode, ctypes.c_long(off), ctypes.c_long(size))


def put(path, data=b"data"):
    with open(path, "wb") as f:
        f.write(data)


def get(path):
    with open(path, "rb") as f:
        return f.read()


def child(f, *args):
    """Runs f in a forked process; its exit status is 0 unless it raised."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            f(*args)
            code = 0
        except BaseException as e:  # the parent reports
            sys.stderr.write("child: %r\n" % e)
        finally:
            os._exit(code)
    return pid


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def as_user(uid, gid, f, *args, groups=()):
    def run():
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        f(*args)

    assert ended(child(run)) == 0


def comes(f, *args, limit=40):
    """Until f does not raise any more, and what it returns then."""
    end = time.monotonic() + limit
    while True:
        try:
            return f(*args)
        except (AssertionError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def report(name, text):
    """How a check ended, as lines for tests/lib/mount.sh; text is "", or a traceback."""
    lines = text.strip().splitlines()
    if not lines:
        print("ok", name, flush=True)
        return
    print("not ok %s - %s" % (name, lines[-1][:200]))
    for line in lines[-6:-1]:
        print("# " + line[:200], flush=True)


def run_all(command, names, limit=60):
    """Each in a process of its own: the command and the name."""
    bad = 0
    for name in names:
        if name in ROOT_CHECKS and os.geteuid() != 0:
            print("skip %s - needs root" % name, flush=True)
            continue
        p = subprocess.Popen([sys.executable, *command, name], stderr=subprocess.PIPE,
                             text=True, errors="replace", start_new_session=True)
        try:
            text = p.communicate(timeout=limit)[1]
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            text = "took more than %d s" % limit
        if p.returncode == 0:
            text = ""
        elif not text.strip():
            text = "status %s" % p.returncode
        bad += text != ""
        report(name, text)
    sys.exit(1 if bad else 0)
