#!/usr/bin/env python3
"""posix.py -- what a program may expect of a directory on Linux.

    posix.py DIR            runs all checks, each in an empty directory below DIR
    posix.py DIR NAME       runs one

The checks are in posix_*.py; they hold on ext4 too: what fails there as well is no fault of ours.
A check's name is the sentence it proves. Exit status 1 and a traceback when it does not hold.
"""
import os
import shutil
import signal
import subprocess
import sys

import posix_attrs  # noqa: F401 -- each adds its checks
import posix_data  # noqa: F401
import posix_locks  # noqa: F401
import posix_names  # noqa: F401
from posix_kit import CHECKS, ROOT_CHECKS


def run(base, name):
    where = os.path.join(base, "t." + name[:40])
    shutil.rmtree(where, ignore_errors=True)
    os.mkdir(where)
    os.chdir(where)
    CHECKS[name]()
    os.chdir(base)
    shutil.rmtree(where)


def run_all(base, limit=60):
    """Each in a process of its own; how it ended is a line for tests/lib/mount.sh."""
    bad = 0
    for name in CHECKS:
        if name in ROOT_CHECKS and os.geteuid() != 0:
            print("skip %s - needs root" % name, flush=True)
            continue
        p = subprocess.Popen([sys.executable, __file__, base, name], stderr=subprocess.PIPE,
                             text=True, errors="replace", start_new_session=True)
        try:
            text = p.communicate(timeout=limit)[1]
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            text = "took more than %d s" % limit
        if p.returncode == 0:
            print("ok", name, flush=True)
        else:
            bad += 1
            lines = text.strip().splitlines() or ["status %s" % p.returncode]
            print("not ok %s - %s" % (name, lines[-1][:200]))
            for line in lines[-6:-1]:
                print("# " + line[:200], flush=True)
    sys.exit(1 if bad else 0)


if len(sys.argv) < 2:
    sys.exit(__doc__)
elif len(sys.argv) == 2:
    run_all(sys.argv[1])
else:
    run(sys.argv[1], sys.argv[2])
