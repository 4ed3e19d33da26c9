#!/usr/bin/env python3
"""posix.py -- what a program may expect of a directory on Linux.

    posix.py DIR            runs all checks, each in an empty directory below DIR
    posix.py DIR NAME       runs one

The checks are in posix_*.py; they hold on ext4 too: what fails there as well is no fault of ours.
A check's name is the sentence it proves. Exit status 1 and a traceback when it does not hold.
"""
import os
import shutil
import sys

import posix_attrs  # noqa: F401 -- each adds its checks
import posix_data  # noqa: F401
import posix_locks  # noqa: F401
import posix_names  # noqa: F401
from posix_kit import CHECKS, run_all


def run(base, name):
    where = os.path.join(base, "t." + name[:40])
    shutil.rmtree(where, ignore_errors=True)
    os.mkdir(where)
    os.chdir(where)
    CHECKS[name]()
    os.chdir(base)
    shutil.rmtree(where)


if len(sys.argv) < 2:
    sys.exit(__doc__)
elif len(sys.argv) == 2:
    run_all([__file__, sys.argv[1]], CHECKS)
else:
    run(sys.argv[1], sys.argv[2])
