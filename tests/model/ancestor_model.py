#!/usr/bin/env python3
"""Kept ancestors of one content register: what is kept, who drops it (net/README.md).

    ancestor_model.py [HISTORIES] [SEED]     finds nothing; then each rule off must show a violation

Three replicas of one record, exchanges where digests differ, floors from what each knows of the
others' clocks.
"""
import random, sys

RULES = ("settled", "second", "single", "exact", "named", "digest")
ON = dict.fromkeys(RULES, True)


class Version:
    """Never changes: so `bases` is the same wherever the version is."""
    def __init__(self, dot, hlc, bases, true, past):
        self.dot, self.hlc, self.bases, self.true, self.past = dot, hlc, bases, true, past


def has(vv, dot):
    return vv.get(dot[0], 0) >= dot[1]


def join(a, b):
    return {k: max(a.get(k, 0), b.get(k, 0)) for k in set(a) | set(b)}


class Replica:
    def __init__(self, i, n):
        self.i, self.n, self.hlc = i, n, 0
        self.live, self.kept, self.seen = {}, {}, set()      # seen: the context, exact dots
        self.clock, self.known = {}, [{} for _ in range(n)]

    def floor(self):
        self.known[self.i] = dict(self.clock)
        return {a: min(k.get(a, 0) for k in self.known) for a in self.clock}

    def settled(self, dot):
        return has(self.floor(), dot)

    def keep(self, more):
        """What is named as a base by a live version, which is one of several or not settled."""
        have = dict(self.kept); have.update(more)
        want = set()
        for v in self.live.values():
            if len(self.live) > 1 or not self.settled(v.dot):
                want |= set(v.bases)
        if not ON["named"]:
            want |= set(have)                                # all that was ever replaced
        self.kept = {d: v for d, v in have.items() if d in want and d not in self.live}

    def bases(self, names):
        """At most two: what all the writer's siblings stood on."""
        out = []
        for d in names:
            s = self.live.get(d) or self.kept.get(d)
            if s is None:
                out.append((d,)); continue                   # others may have it
            own = self.settled(d) and (len(self.live) == 1 or not ON["single"])
            own |= not s.bases or not ON["settled"]
            out.append(((d,) + s.bases)[:2 if ON["second"] else 1] if own else s.bases)
        both = [d for d in out[0] if all(d in o for o in out)] if out else []
        return tuple(both or (out[0] if out else ()))

    def write(self, names, world):
        self.hlc += 1
        self.clock[self.i] = self.clock.get(self.i, 0) + 1
        dot = (self.i, self.clock[self.i])
        true, past = set(names), {dot[0]: dot[1]}
        for d in names:
            true |= world[d].true; past = join(past, world[d].past)
        v = world[dot] = Version(dot, self.hlc, self.bases(names), true, past)
        gone = {d: self.live.pop(d) for d in names if d in self.live}
        self.seen |= {dot} | set(names)
        self.live[dot] = v
        self.keep(gone)

    def merge(self, o):
        self.hlc = max(self.hlc, o.hlc)
        equal = self.digest() == o.digest()                  # then no container is sent
        every = dict(self.live); every.update(o.live)
        self.live = {d: v for d, v in every.items()
                     if (d in self.live or d not in self.seen) and (d in o.live or d not in o.seen)}
        self.seen |= o.seen
        self.clock = join(self.clock, o.clock)
        o.floor()
        self.known = [join(a, b) for a, b in zip(self.known, o.known)]
        gone = {d: v for d, v in every.items() if d not in self.live}
        self.keep({} if equal else {**gone, **o.kept})

    def digest(self):
        """What is kept counts in a conflict only: else floors matter, which differ at times."""
        return set(self.live), set(self.kept) if len(self.live) > 1 and ON["digest"] else set()

    def base(self, v, w):
        """What a three-way merge of two siblings starts from; None: an empty file."""
        if ON["exact"]:
            both = [a for a in self.kept.values() if a.dot in v.bases and a.dot in w.bases]
        else:
            both = [a for a in self.kept.values() if has(v.past, a.dot) and has(w.past, a.dot)]
        return max(both, key=lambda a: (a.hlc, a.dot), default=None)


class History:
    def __init__(self, seed, stale, most):
        self.r, self.stale, self.most, self.bad = random.Random(seed), stale, most, set()
        self.reps, self.world, self.opened = [Replica(i, 3) for i in range(3)], {}, []
        self.pairs = self.found = 0

    def look(self, R):
        for v in R.live.values():
            for w in R.live.values():
                if v.dot >= w.dot:
                    continue
                a = R.base(v, w)
                if a and not (a.dot in v.true and a.dot in w.true):
                    self.bad.add("WRONG")
                if v.true & w.true:
                    self.pairs += 1; self.found += a is not None
                    if a is None and not self.stale:
                        self.bad.add("MISSING")
        if len(R.kept) > 2 * len(R.live):
            self.bad.add("BOUND")

    def run(self):
        r = self.r
        self.reps[0].write((), self.world)
        for i in (1, 2, 0): self.reps[i].merge(self.reps[0])
        for _ in range(r.randint(4, self.most)):
            i, j = r.sample(range(3), 2); R = self.reps[i]
            if r.random() < 0.45:
                self.reps[i].merge(self.reps[j])
            elif R.live:
                names = [r.choice(sorted(R.live))] if r.random() < 0.6 else sorted(R.live)
                if self.stale and self.opened and r.random() < 0.3:
                    names = [r.choice(self.opened)]
                self.opened.append(names[0])
                R.write(tuple(names), self.world)
            self.look(R)
        for _ in range(4):
            for i in range(3):
                for j in range(3):
                    if i != j: self.reps[i].merge(self.reps[j]); self.look(self.reps[i])
        a = self.reps[0]
        if any((set(o.live), set(o.kept)) != (set(a.live), set(a.kept)) for o in self.reps):
            self.bad.add("DIVERGED")
        if len(a.live) == 1 and a.kept:
            self.bad.add("NEVER_DROPPED")
        return self.bad


def check(n, seed):
    counts, pairs, found = {}, [0, 0], [0, 0]
    for s in range(seed, seed + n):
        h = History(s, s % 2 == 1, 24)
        for b in h.run():
            counts.setdefault(b, []).append(s)
        pairs[s % 2] += h.pairs; found[s % 2] += h.found
    return {b: (len(s), "seed %d" % s[0]) for b, s in counts.items()}, pairs, found


def missed(rule, first=50001, most=1000):
    """The first long history that goes wrong without the rule; 1 if there is none."""
    ON[rule] = False
    bad = None
    for s in range(first, first + most):
        bad = History(s, s % 2 == 1, 60).run()
        if bad:
            break
    ON[rule] = True
    print("without %-8s %s" % (rule, "seed %d: %s" % (s, ", ".join(sorted(bad))) if bad else
                               "NO VIOLATION FOUND"))
    return 0 if bad else 1


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    counts, pairs, found = check(n, seed)
    print("all rules on: %d histories, violations: %s" % (n, counts or "none"))
    print("siblings with a common ancestor / found: latest bases %d / %d, also stale bases %d / %d"
          % (pairs[0], found[0], pairs[1], found[1]))
    return 1 if counts or sum([missed(rule) for rule in RULES]) else 0


if __name__ == "__main__":
    sys.exit(main())
