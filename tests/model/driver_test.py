#!/usr/bin/env python3
"""The rules in C against the model: the same histories, the same listings."""
import os, subprocess, sys

here = os.path.dirname(os.path.abspath(__file__))
build = os.path.dirname(os.environ.get("NWRFS", "build/release/nwrfs"))
driver = os.path.join(build, "tests/fs/model_driver")
count = os.environ.get("NWR_HISTORIES", "2000")


def run(name, script):
    done = subprocess.run([driver], stdin=script, stdout=subprocess.PIPE, text=True)
    sys.stdout.write("".join("# %s\n" % line for line in done.stdout.splitlines()[-20:]))
    print("%s %s" % ("ok" if done.returncode == 0 else "not ok", name))
    return done.returncode


bad = 0
with open(os.path.join(here, "table.txt")) as table:
    bad += run("the_table_of_conflicts_comes_out_as_written", table)
for name, first in (("random_histories_list_the_same_as_the_model", "1"),
                    ("and_so_do_others", "1000000")):
    words = [sys.executable, os.path.join(here, "conflict_model.py"), "--trace", first, count]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as model:
        bad += run(name, model.stdout)
sys.exit(1 if bad else 0)
