"""slow_reader.py -- lists a directory with pauses, in which another process changes it.

    slow_reader.py DIR FILE     FILE takes the names that went

What was there throughout must be listed once, and nothing twice.
"""
import os
import random
import sys

PAUSE = 500  # names


def change(d, names, asked, done):
    """At each byte asked for, a few names are removed, moved and made; gives those that went."""
    r, gone, made = random.Random(7), set(), 0
    while os.read(asked, 1):
        for _ in range(10):
            for way in ("remove", "move"):
                name = r.choice(names)
                if name in gone:
                    continue
                gone.add(name)
                if way == "remove":
                    os.unlink("%s/%s" % (d, name))
                else:
                    os.rename("%s/%s" % (d, name), "%s/moved-%d" % (d, made))
            open("%s/made-%d" % (d, made), "w").close()
            made += 1
        os.write(done, b"x")
    return gone


def listed(d, ask, done):
    seen = []
    with os.scandir(d) as it:
        for i, e in enumerate(it):
            seen.append(e.name)
            os.path.lexists(e.path)
            if i % PAUSE == 0:
                os.write(ask, b"x")
                assert os.read(done, 1) == b"x"
    return seen


def main(d, record):
    there = set(os.listdir(d))
    asked, ask = os.pipe()
    done, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ask)
        with open(record, "w") as f:
            f.write("\n".join(change(d, sorted(there), asked, tell)))
        os._exit(0)
    os.close(tell)
    seen = listed(d, ask, done)
    os.close(ask)
    assert os.waitpid(pid, 0)[1] == 0
    with open(record) as f:
        gone = set(f.read().split("\n"))
    stay = there - gone
    print("%d names, %d went, %d listed" % (len(there), len(gone), len(seen)))
    assert len(gone) > len(there) // 100
    assert len(seen) == len(set(seen)), len(seen) - len(set(seen))
    assert stay <= set(seen), len(stay - set(seen))
    assert stay <= set(os.listdir(d)) and not gone & set(os.listdir(d))


main(*sys.argv[1:])
