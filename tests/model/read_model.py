#!/usr/bin/env python3
"""A read whose answers are of different times: siblings are asked for once more (net/core/read.c).

    read_model.py [HISTORIES] [SEED]     finds nothing; then each rule off must show a violation

One register at three replicas, W + R > N. Writers name what a read has shown them, to coordinators
that may never have had it; a container that was sent may arrive at any time, or never. A read's
answers come one by one, writes go on between them. Rounds are bounded: where each of four shows
siblings that the one before did not, a read ends with what it has (1 of 400,000 histories).
"""
import random, sys

RULES = ("again", "until_known", "overlap", "write_back")
ON = dict.fromkeys(RULES, True)
N, ROUNDS = 3, 4                                             # as LOOKS_MAX: three more


class Replica:
    def __init__(self, i):
        self.i, self.given = i, 0
        self.live, self.seen = set(), set()                  # seen: the context, exact dots

    def copy(self):
        return frozenset(self.live), frozenset(self.seen)

    def merge(self, other):
        live, seen = other
        keep = {d for d in self.live if d in live or d not in seen}
        self.live = keep | {d for d in live if d not in self.seen}
        self.seen |= seen

    def put(self, names):
        self.given += 1
        dot = (self.i, self.given)
        self.live = (self.live - names) | {dot}
        self.seen |= names | {dot}                           # what it named, not what that covered
        return dot


class Read:
    def __init__(self, began, r):
        self.began, self.r, self.shown, self.rounds = began, r, None, 0
        self.ask()

    def ask(self):
        self.answers, self.rounds = {}, self.rounds + 1

    def merged(self):
        m = Replica(-1)
        for a in self.answers.values():
            m.merge(a)
        return m


class History:
    def __init__(self, seed):
        self.rng = r = random.Random(seed)
        self.w = r.randint(1, N)
        self.r = r.randint(N - self.w + 1, N) if ON["overlap"] else max(1, N - self.w)
        self.reps = [Replica(i) for i in range(N)]
        self.past, self.done = {}, {}                        # of a dot; when its successor was told
        self.sent, self.reads, self.known = [], [], [set()]
        self.now, self.bad = 0, set()

    def write(self):
        names = self.rng.choice(self.known)
        i = self.rng.randrange(N)
        dot = self.reps[i].put(set(names))
        self.past[dot] = set(names).union(*[self.past[d] for d in names])
        others = [j for j in range(N) if j != i]
        self.rng.shuffle(others)
        for k, j in enumerate(others):
            if k < self.w - 1:
                self.reps[j].merge(self.reps[i].copy())
            else:
                self.sent.append((j, self.reps[i].copy()))
        for d in self.past[dot]:
            self.done.setdefault(d, self.now)                # at W, and told so

    def answer(self):
        read = self.rng.choice(self.reads)
        i = self.rng.choice([j for j in range(N) if j not in read.answers])
        read.answers[i] = self.reps[i].copy()
        if len(read.answers) < read.r:
            return
        m = read.merged()
        alike = len({a[0] for a in read.answers.values()}) == 1
        new = m.live - (read.shown or set())
        if not alike and len(m.live) > 1 and new and ON["again"] and read.rounds < ROUNDS and (
                ON["until_known"] or read.rounds < 2):
            read.shown = set(m.live)
            read.ask()
            return
        if ON["write_back"]:
            for j in list(read.answers)[:self.w] + self.rng.sample(range(N), self.w):
                self.reps[j].merge(m.copy())
        self.judge(read, m.live)
        self.reads.remove(read)
        self.known = (self.known + [set(m.live)])[-3:]

    def judge(self, read, live):
        for d in live:
            if any(d in self.past[e] for e in live):
                self.bad.add("BESIDE_ITS_SUCCESSOR")
            if self.done.get(d, read.began) < read.began:
                self.bad.add("REPLACED_BEFORE")

    def run(self, most=60):
        for _ in range(most):
            self.now += 1
            what = self.rng.random()
            if what < 0.25:
                self.write()
            elif what < 0.35 and self.sent:
                j, c = self.sent.pop(self.rng.randrange(len(self.sent)))
                self.reps[j].merge(c)
            elif what < 0.5 and len(self.reads) < 3:
                self.reads.append(Read(self.now, self.r))
            elif self.reads:
                self.answer()
        return self.bad


def check(n, seed):
    counts = {}
    for s in range(seed, seed + n):
        for b in History(s).run():
            counts.setdefault(b, []).append(s)
    return {b: (len(s), "seed %d" % s[0]) for b, s in counts.items()}


def missed(rule, first=50001, most=100000):
    ON[rule] = False
    bad = None
    for s in range(first, first + most):
        bad = History(s).run()
        if bad:
            break
    ON[rule] = True
    print("without %-11s %s" % (rule, "seed %d: %s" % (s, ", ".join(sorted(bad))) if bad else
                                "NO VIOLATION FOUND"))
    return 0 if bad else 1


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    counts = check(n, seed)
    print("all rules on: %d histories, violations: %s" % (n, counts or "none"))
    return 1 if counts or sum([missed(rule) for rule in RULES]) else 0


if __name__ == "__main__":
    sys.exit(main())
