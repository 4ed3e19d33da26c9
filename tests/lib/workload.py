#!/usr/bin/env python3
"""workload.py -- a program that keeps a promise book: what it was told is done must be there.

    workload.py run DIR BOOK [SEED]     works below DIR until BOOK.stop exists
    workload.py verify DIR BOOK         DIR holds what BOOK says; every violation is a line
    workload.py siblings DIR BOOK       siblings of names that only one program wrote to: each must
                                        hold what a call that failed was to put there

One process works on one mount, in a directory that only it writes to. It creates, overwrites,
appends, saves by temporary file and rename, renames, reads and deletes. BOOK has for each name the
contents that it may have: after a call that succeeded exactly one, after one that failed (nobody
knows whether it happened) the old ones and the new one. A failed call must say ETIMEDOUT or
EHOSTDOWN. What was deleted must stay away; a read must show one of the contents in BOOK.

The last line of `run` is "N acknowledged, N failed, N wrong"; a wrong answer makes it exit 1.
"""
import errno
import json
import os
import random
import sys

FILES = 40
REFUSED = {errno.ETIMEDOUT, errno.EHOSTDOWN}
ABSENT = None


def content(rng, serial):
    # Small files, files of several blocks, and files too large for a record.
    size = rng.choice((10, 200, 4096, 5000, 70000, 300000))
    line = b"%d." % serial
    return (line * (size // len(line) + 1))[:size]


def digest(data):
    """What BOOK keeps of a content: who it is and how long."""
    return "%d:%s" % (len(data), data[:12].decode("ascii", "replace"))


class Worker:
    def __init__(self, top, book, seed):
        self.top, self.book = top, book
        self.rng = random.Random(seed)
        self.serial = 0
        self.may = {}  # name -> list of digests or ABSENT; a name not there: only ABSENT
        self.unsure = {}  # name -> digests that calls which failed may still put there
        self.data = {}  # digest -> bytes
        self.done = self.failed = 0
        self.wrong = []

    def path(self, name):
        return os.path.join(self.top, name)

    def new(self):
        self.serial += 1
        data = content(self.rng, self.serial)
        self.data[digest(data)] = data
        return data

    def states(self, name):
        return self.may.get(name, [ABSENT])

    def complain(self, text):
        self.wrong.append(text)
        print("wrong: " + text, flush=True)

    def doubt(self, name, states):
        """A call that failed may have left these, or may still do so."""
        old = self.states(name)
        self.may[name] = old + [s for s in states if s not in old]
        self.unsure.setdefault(name, []).extend(s for s in states if s is not ABSENT)

    def attempt(self, changes, call, misses=()):
        """changes: name -> states it may have if the call works. misses: errnos that are an answer
        too, since a name may be absent (or there) by an earlier call that nobody knows of."""
        try:
            call()
        except OSError as e:
            if e.errno in misses:
                return
            if e.errno not in REFUSED:
                self.complain("%s: %s" % (e.filename or list(changes), errno.errorcode[e.errno]))
            self.failed += 1
            for name, states in changes.items():
                self.doubt(name, states)
            return
        self.done += 1
        self.may.update(changes)

    # ---- what it does ----

    def write(self, name):
        data = self.new()

        def call():
            with open(self.path(name), "wb", buffering=0) as f:
                f.write(data)
        # A write that failed half-way may leave the file empty: O_TRUNC was the first step.
        before = self.failed
        self.attempt({name: [digest(data)]}, call)
        if self.failed > before:
            self.doubt(name, [digest(b"")])

    def append(self, name):
        old = self.states(name)
        if len(old) != 1 or old[0] is ABSENT:
            return
        data = self.data[old[0]] + b"+%d" % self.serial
        self.serial += 1
        self.data[digest(data)] = data

        def call():
            with open(self.path(name), "ab", buffering=0) as f:
                f.write(data[len(self.data[old[0]]):])
        self.attempt({name: [digest(data)]}, call)

    def save(self, name):
        data, temporary = self.new(), ".tmp-" + name

        def call():
            with open(self.path(temporary), "wb", buffering=0) as f:
                f.write(data)
                os.fsync(f.fileno())
            os.rename(self.path(temporary), self.path(name))
        before = self.failed
        self.attempt({name: [digest(data)], temporary: [ABSENT]}, call)
        if self.failed > before:  # the temporary file may be there with any of its contents
            self.doubt(temporary, [digest(data), digest(b"")])

    def rename(self, name):
        other = "r%d" % self.rng.randrange(FILES)
        states = self.states(name)
        if other == name or len(states) != 1 or states[0] is ABSENT:
            return
        self.attempt({other: states, name: [ABSENT]},
                     lambda: os.rename(self.path(name), self.path(other)))

    def delete(self, name):
        unsure = len(self.states(name)) > 1
        if self.states(name) == [ABSENT]:
            return
        self.attempt({name: [ABSENT]}, lambda: os.unlink(self.path(name)),
                     (errno.ENOENT,) if unsure else ())

    def read(self, name):
        try:
            with open(self.path(name), "rb", buffering=0) as f:
                data = f.readall()
        except OSError as e:
            if e.errno == errno.ENOENT and ABSENT in self.states(name):
                return
            if e.errno not in REFUSED:
                self.complain("read %s: %s" % (name, errno.errorcode[e.errno]))
            return
        self.look(name, data)

    def look(self, name, data):
        seen = digest(data)
        if seen not in self.states(name):
            self.complain("%s shows %s, not %s" % (name, seen, self.states(name)))
        elif seen in self.data and self.data[seen] != data:
            self.complain("%s has other bytes than were written" % name)

    def step(self):
        name = "%s%d" % (self.rng.choice("fr"), self.rng.randrange(FILES))
        self.rng.choices((self.write, self.append, self.save, self.rename, self.delete, self.read),
                         (4, 2, 2, 1, 1, 3))[0](name)

    def keep(self):
        with open(self.book, "w") as f:
            json.dump({"may": self.may, "unsure": self.unsure, "serial": self.serial}, f)


def run(top, book, seed="1"):
    os.makedirs(top, exist_ok=True)
    w = Worker(top, book, int(seed))
    while not os.path.exists(book + ".stop"):
        w.step()
    w.keep()
    print("%d acknowledged, %d failed, %d wrong" % (w.done, w.failed, len(w.wrong)))
    return 1 if w.wrong else 0


def verify(top, book):
    with open(book) as f:
        may = json.load(f)["may"]
    wrong = []
    there = set(os.listdir(top))
    for name in sorted(there):
        if ".conflict." in name:
            continue
        with open(os.path.join(top, name), "rb") as f:
            seen = digest(f.read())
        states = may.get(name, [ABSENT])
        if seen not in states:
            wrong.append("%s shows %s, may be %s" % (name, seen, states))
    for name, states in sorted(may.items()):
        if name not in there and ABSENT not in states:
            wrong.append("%s is gone, it was %s" % (name, states))
    for line in wrong:
        print("wrong: " + line)
    print("%d names, %d wrong" % (len(may), len(wrong)))
    return 1 if wrong else 0


def siblings(top, book):
    """A write that was never answered may come late, beside its successor. No other may."""
    with open(book) as f:
        unsure = json.load(f)["unsure"]
    wrong = []
    for name in os.listdir(top):
        if ".conflict." not in name:
            continue
        with open(os.path.join(top, name), "rb") as f:
            seen = digest(f.read())
        if seen not in unsure.get(name.split(".conflict.")[0], []):
            wrong.append("%s holds %s" % (name, seen))
    for line in sorted(wrong):
        print("nobody else wrote: " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    words = {"run": run, "verify": verify, "siblings": siblings}
    if len(sys.argv) < 4 or sys.argv[1] not in words:
        sys.exit(__doc__)
    sys.exit(words[sys.argv[1]](*sys.argv[2:]))
