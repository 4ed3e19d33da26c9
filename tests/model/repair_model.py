#!/usr/bin/env python3
"""repair_model.py -- clocks, floors and the removal of tombstones of one PG (DESIGN 7).

Members exchange containers that may come late, doubled or never; they lose power, get old disks
back, leave and come again. Beside each replica lives a shadow of it that never removes anything:
the same deliveries, no floors. At the end, when all were made equal, the live versions of each
member must be those of the joined shadows (nothing deleted is back, nothing is lost), all members
must be identical, and after quiet rounds nothing that was deleted may be left of a record.

    repair_model.py [SEEDS] [--first N] [--seed N] [--without RULE] [--rules]

--without switches one rule off: then histories must be found that break. Rules are in RULES.
"""
import argparse
import copy
import random
import sys

RULES = {
    'floor-is-context': 'a version at or below the floor that a replica lacks is not taken again',
    'floor-needs-all': 'the floor takes every member, not all but one',
    'floor-needs-disk': 'a member confirms only what it has synced',
    'floor-is-least': 'the floor is the least of what members confirmed, not what one of them has',
    'adopt-if-covered': "another's floor is adopted only by a replica whose clock covers it",
    'drop-if-covered': 'a record goes only when all of its context is below the floor',
    'retired-stays': 'write_ids stay retired: a second dot may lie where no clock tells of it',
    'strip-if-covered': 'a context is stripped only when all of it is below the floor',
    'behind-takes-floor': 'a replica behind the floor of another drops what that dropped',
    'equal-for-clock': 'a clock is joined only where an exchange ended equal',
    'forget-on-restart': 'what a member confirmed is forgotten when it restarts',
}
OFF = set()


def on(rule):
    return rule not in OFF


class Rec:
    """A container: context (vector and dots), versions, retired write_ids."""

    def __init__(self):
        self.vv, self.dots, self.v, self.retired = {}, set(), {}, set()

    def copy(self):
        r = Rec()
        r.vv, r.dots = dict(self.vv), set(self.dots)
        r.v, r.retired = dict(self.v), set(self.retired)
        return r

    def has(self, d):
        return self.vv.get(d[0], 0) >= d[1] or d in self.dots

    def norm(self):
        self.dots = {d for d in self.dots if self.vv.get(d[0], 0) < d[1]}

    def put(self, dot, wid, tomb, once, seen):
        for d, w in seen:
            old = self.v.get(d)
            if not old or not old[2] or old[0] != w:
                self.retired.add(w)
            if old and not old[2]:
                self.retired.add(old[0])
            self.dots.add(d)
            self.v.pop(d, None)
        self.v = {d: x for d, x in self.v.items() if x[0] not in self.retired}
        self.vv[dot[0]] = max(self.vv.get(dot[0], 0), dot[1])
        if wid not in self.retired and all(x[0] != wid for x in self.v.values()):
            self.v[dot] = (wid, tomb, once)
        self.norm()

    def sync(self, o):
        keep = {d: x for d, x in self.v.items() if d in o.v or not o.has(d)}
        keep.update({d: x for d, x in o.v.items() if d in self.v or not self.has(d)})
        for a, c in o.vv.items():
            self.vv[a] = max(self.vv.get(a, 0), c)
        self.dots |= o.dots
        self.retired |= o.retired
        self.v = {d: x for d, x in keep.items() if x[0] not in self.retired}
        self.norm()

    def empty(self):
        return not (self.v or self.vv or self.dots or self.retired)

    def ctx_below(self, floor):
        return all(floor.get(a, 0) >= c for a, c in self.vv.items()) and all(
            floor.get(a, 0) >= c for a, c in self.dots)

    def hash(self):
        """What the digest of the PG covers."""
        h = (frozenset((d, x[0]) for d, x in self.v.items()), frozenset(self.retired))
        return h if self.v else h + (frozenset(self.vv.items()), frozenset(self.dots))

    def live(self):
        return {(d, x[0]) for d, x in self.v.items() if not x[1]}


def covers(clock, other):
    return all(clock.get(a, 0) >= c for a, c in other.items())


def join(clock, other):
    for a, c in other.items():
        clock[a] = max(clock.get(a, 0), c)


class Disk:
    def __init__(self):
        self.recs, self.shadow = {}, {}
        self.clock, self.floor = {}, {}


class Node:
    def __init__(self, o):
        self.o, self.inc, self.counter = o, 0, 0
        self.disk = Disk()
        self.synced = copy.deepcopy(self.disk)
        self.old = []       # images of the disk
        self.behind = False # an old disk, or away: until its clock covers every floor again
        self.confirm = {}   # member -> the clock it had on disk

    @property
    def actor(self):
        return (self.o, self.inc)

    def sync(self):
        self.synced = copy.deepcopy(self.disk)

    def digest(self):
        return {k: r.hash() for k, r in self.disk.recs.items()}

    # ---- the store ----
    def fold(self, k, other=None):
        """other: the floor of one this replica is behind."""
        r, f = self.disk.recs.get(k), dict(self.disk.floor)
        if r is None:
            return
        join(f, other or {})
        below = r.ctx_below(f)
        tombs_below = all(f.get(d[0], 0) >= d[1] for d in r.v)
        if not on('retired-stays'):
            r.retired = set()
        gone = all(x[1] for x in r.v.values()) and (
            below or not on('drop-if-covered') and tombs_below and r.v)
        if gone and not r.retired:
            del self.disk.recs[k]
        elif below:
            r.v = {d: x for d, x in r.v.items() if not x[1]}
            r.vv, r.dots = {}, set(r.v)
        elif not on('strip-if-covered'):
            r.vv = {a: c for a, c in r.vv.items() if f.get(a, 0) < c}
            r.dots = {d for d in r.dots if f.get(d[0], 0) < d[1]} | {d for d in r.v if not r.has(d)}

    def merge(self, k, rec, floor=None):
        """floor: the sender's, which stands for what it no longer has."""
        mine = self.disk.recs.get(k) or Rec()
        rec = rec.copy()
        f = self.disk.floor
        if on('floor-is-context'):
            rec.v = {d: x for d, x in rec.v.items() if d in mine.v or f.get(d[0], 0) < d[1]}
        if floor is not None and on('behind-takes-floor'):
            mine.v = {d: x for d, x in mine.v.items() if d in rec.v or floor.get(d[0], 0) < d[1]}
        mine.sync(rec)
        self.disk.recs[k] = mine
        if mine.empty():
            del self.disk.recs[k]
        self.fold(k, floor if on('behind-takes-floor') else None)

    def shadow_merge(self, k, rec):
        self.disk.shadow.setdefault(k, Rec()).sync(rec)

    def set_floor(self, floor):
        join(self.disk.floor, floor)
        for k in list(self.disk.recs):
            self.fold(k)

    def restart(self, disk, inc):
        self.disk = copy.deepcopy(disk)
        self.synced = copy.deepcopy(disk)
        self.inc, self.counter = inc, 0
        self.confirm = {}


class World:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.log = []
        self.n = 3
        self.keys = self.r.randint(1, 3)
        self.nodes = [Node(o) for o in range(self.n)]
        self.members = set(range(self.n))
        self.inc = 0
        self.wid = 0
        self.flying = []  # (to, key, rec, shadow)
        self.lossy = False
        self.views = {}   # key -> list of what some reader saw
        for n in self.nodes:
            self.restart(n, n.disk)
        self.ratio = {e: self.r.choice((0, 1, 1, 3)) for e in (
            'crash', 'old', 'leave', 'late', 'retry', 'image')}

    def say(self, *a):
        self.log.append(' '.join(map(str, a)))

    def restart(self, n, disk):
        self.inc += 1
        n.restart(disk, self.inc)
        if on('forget-on-restart'):
            for m in self.nodes:
                m.confirm.pop(n.o, None)

    # ---- events ----
    def write(self):
        n = self.nodes[self.r.choice(sorted(self.members))]
        k = self.r.randrange(self.keys)
        view = n.disk.recs.get(k) or Rec()
        if self.views.get(k) and self.r.random() < 0.3:
            view = self.r.choice(self.views[k])
        seen = [(d, x[0]) for d, x in view.v.items()]
        if self.r.random() < 0.15 and seen:
            seen.pop()
        tomb = bool(seen) and self.r.random() < 0.45
        self.wid += 1
        tries = [n]
        if self.ratio['retry'] and self.r.random() < 0.25:
            tries.append(self.nodes[self.r.choice(sorted(self.members))])
        for t in tries:
            self.put(t, k, self.wid, tomb, len(tries) == 1, seen)

    def put(self, n, k, wid, tomb, once, seen):
        n.counter += 1
        dot = (n.actor, n.counter)
        for recs, real in ((n.disk.recs, True), (n.disk.shadow, False)):
            r = recs.setdefault(k, Rec())
            here = wid in r.retired or any(x[0] == wid for x in r.v.values())
            if here:
                r.put((n.actor, 0), 0, False, True, [(d, w) for d, w in seen if w != wid])
                r.vv.pop(n.actor, None) if r.vv.get(n.actor) == 0 else None
                r.v.pop((n.actor, 0), None)
            else:
                r.put(dot, wid, tomb, once, seen)
            if real:
                if r.empty():
                    del recs[k]
                else:
                    n.fold(k)
        n.disk.clock[n.actor] = n.counter
        self.say('write', n.o, k, dot, 'wid', wid, 'tomb' if tomb else '', seen)
        rec = n.disk.recs.get(k) or Rec()
        for m in self.members - {n.o}:
            self.flying.append((m, k, rec.copy(), n.disk.shadow[k].copy()))

    def deliver(self, again=False):
        if not self.flying:
            return
        i = self.r.randrange(len(self.flying))
        late = self.ratio['late'] and self.r.random() < 0.3
        to, k, rec, shadow = self.flying[i] if late else self.flying.pop(i)
        if to not in self.members:
            return
        n = self.nodes[to]
        n.merge(k, rec)
        n.shadow_merge(k, shadow)
        self.say('deliver to', to, k, sorted(rec.v))

    def lose(self):
        if self.flying and self.r.random() < 0.3:
            self.flying.pop(self.r.randrange(len(self.flying)))

    def look(self):
        n = self.r.choice(self.nodes)
        k = self.r.randrange(self.keys)
        if n.o in self.members and k in n.disk.recs:
            self.views.setdefault(k, []).append(n.disk.recs[k].copy())
            self.views[k] = self.views[k][-3:]

    def crash(self):
        n = self.r.choice(self.nodes)
        self.say('power loss', n.o)
        self.lossy = True
        self.restart(n, n.synced)

    def image(self):
        n = self.r.choice(self.nodes)
        n.sync()
        n.old.append(copy.deepcopy(n.disk))

    def old_disk(self):
        n = self.r.choice(self.nodes)
        if n.old:
            self.say('old disk', n.o)
            self.lossy = True
            self.restart(n, self.r.choice(n.old))
            n.behind = True

    def leave(self):
        if len(self.members) == self.n:
            o = self.r.randrange(self.n)
            self.members.discard(o)
            self.say('leaves', o)
        else:
            o = (set(range(self.n)) - self.members).pop()
            self.members.add(o)
            self.restart(self.nodes[o], self.nodes[o].disk)
            self.nodes[o].behind = True
            self.say('back', o)

    # ---- exchanges ----
    def floors(self, a, b):
        """A floor is a fact of all members; whoever has what is below it may go by it."""
        for x, y in ((a, b), (b, a)):
            if covers(x.disk.clock, y.disk.floor) or not on('adopt-if-covered'):
                x.set_floor(y.disk.floor)

    def rows(self, a, b, part=False):
        """a asks. Records that differ: merged at a, then at b; whoever is behind takes floors."""
        behind_a = not covers(a.disk.clock, b.disk.floor)
        behind_b = not covers(b.disk.clock, a.disk.floor)
        for k in sorted(set(a.disk.shadow) | set(b.disk.shadow)):
            ra, rb = a.disk.recs.get(k), b.disk.recs.get(k)
            if (ra.hash() if ra else None) != (rb.hash() if rb else None):
                if part and self.r.random() < 0.4:
                    continue
                a.merge(k, rb or Rec(), b.disk.floor if behind_a else None)
                b.merge(k, a.disk.recs.get(k) or Rec(), a.disk.floor if behind_b else None)
                if behind_a:
                    a.merge(k, b.disk.recs.get(k) or Rec(), b.disk.floor)
            for x, y in ((a, b), (b, a)):
                if k in y.disk.shadow:
                    x.shadow_merge(k, y.disk.shadow[k].copy())

    def equal(self, a, b, one_way=False):
        if a.digest() != b.digest() and on('equal-for-clock'):
            return False
        ca = dict(a.disk.clock)
        join(a.disk.clock, b.disk.clock)
        if not one_way:
            join(b.disk.clock, ca)
        return True

    def confirm(self, a, b):
        """Each tells the other what it holds; on disk before it is told."""
        for x, y in ((a, b), (b, a)):
            if on('floor-needs-disk'):
                y.sync()
            x.confirm[y.o] = dict(y.disk.clock)
        for x in (a, b):
            self.raise_floor(x)

    def raise_floor(self, n):
        need = self.members - {n.o}
        if not on('floor-needs-all') and len(need) > 1:
            need = {min(need)}
        if n.o not in self.members or not need <= set(n.confirm):
            return
        if on('floor-needs-disk'):
            n.sync()
        floor = dict(n.disk.clock)
        for m in need if on('floor-is-least') else ():
            floor = {a: min(c, n.confirm[m].get(a, 0)) for a, c in floor.items()}
        n.set_floor({a: c for a, c in floor.items() if c})

    def pair(self):
        if len(self.members) < 2:
            return
        a, b = (self.nodes[o] for o in self.r.sample(sorted(self.members), 2))
        self.exchange(a, b, part=self.r.random() < 0.3, one_way=self.r.random() < 0.2)
        self.say('pair', a.o, b.o)

    def exchange(self, a, b, part=False, one_way=False):
        self.floors(a, b)
        self.rows(a, b, part)
        if self.equal(a, b, one_way):
            self.floors(a, b)
            if not one_way:
                self.confirm(a, b)

    # ---- a history ----
    def step(self):
        w = [('write', 6), ('deliver', 6), ('lose', 1), ('look', 2), ('pair', 6), ('sync', 2),
             ('crash', self.ratio['crash']), ('image', self.ratio['image']),
             ('old_disk', self.ratio['old']), ('leave', self.ratio['leave'])]
        e = self.r.choices([x for x, _ in w], [y for _, y in w])[0]
        if e == 'sync':
            self.r.choice(self.nodes).sync()
        else:
            getattr(self, e)()

    def reads(self):
        """Two members that were not set back show together what their shadows show, no more."""
        for n in self.nodes:
            if n.behind and all(covers(n.synced.clock, m.disk.floor) for m in self.nodes):
                n.behind = False
        for a in self.members:
            for b in self.members:
                x, y = self.nodes[a], self.nodes[b]
                if a > b or x.behind or y.behind:
                    continue
                for k in range(self.keys):
                    got, want = Rec(), Rec()
                    for n in (x, y):
                        got.sync(n.disk.recs.get(k) or Rec())
                        want.sync(n.disk.shadow.get(k) or Rec())
                    if got.live() - want.live():
                        return 'key %d: %s shows when %d and %d are read' % (
                            k, got.live() - want.live(), a, b)
        return None

    def quiet(self):
        for _ in range(3):
            for a in range(self.n):
                for b in range(a + 1, self.n):
                    self.exchange(self.nodes[a], self.nodes[b])

    def check(self):
        first = self.nodes[0]
        want = {}
        for n in self.nodes:
            for k, r in n.disk.shadow.items():
                want.setdefault(k, Rec()).sync(r)
        for n in self.nodes:
            if n.digest() != first.digest():
                return 'replicas %d and 0 differ: %s %s' % (n.o, n.digest(), first.digest())
            for k in range(self.keys):
                have = n.disk.recs[k].live() if k in n.disk.recs else set()
                must = want[k].live() if k in want else set()
                if have - must:
                    return 'key %d: %s came back at %d' % (k, have - must, n.o)
                if must - have:
                    return 'key %d: %s was lost at %d' % (k, must - have, n.o)
        return None

    def bounded(self):
        """What a coordinator lost before any other clock had it stays named in contexts."""
        if self.lossy:
            return None
        for n in self.nodes:
            for k, r in n.disk.recs.items():
                if not r.live() and not r.retired:
                    return 'key %d: a tombstone stays at %d: %s %s %s floor %s' % (
                        k, n.o, r.vv, r.dots, r.v, n.disk.floor)
        return None


def history(seed):
    w = World(seed)
    for _ in range(w.r.randint(5, 60)):
        w.step()
        bad = w.reads()
        if bad:
            return bad, w
    w.members = set(range(w.n))
    for m in w.nodes:
        m.confirm = {}
    w.quiet()
    bad = w.check() or w.bounded()
    if bad:
        return bad, w
    # Late messages after all was removed.
    while w.flying:
        w.deliver()
        if w.ratio['late'] and w.flying and w.r.random() < 0.2:
            w.flying.pop()
    w.quiet()
    return w.check() or w.bounded(), w


def main():
    p = argparse.ArgumentParser()
    p.add_argument('seeds', type=int, nargs='?', default=3000)
    p.add_argument('--first', type=int, default=1)
    p.add_argument('--seed', type=int)
    p.add_argument('--without', action='append', default=[])
    p.add_argument('--rules', action='store_true', help='each rule off in turn must be noticed')
    o = p.parse_args()
    OFF.update(o.without)
    if o.seed:
        bad, w = history(o.seed)
        print('\n'.join(w.log))
        print(bad)
        return 1 if bad else 0
    bad = 0
    for s in range(o.first, o.first + o.seeds):
        why, _ = history(s)
        if why:
            bad += 1
            if bad < 4:
                print('seed %d: %s' % (s, why))
    print('%d histories, %d violations' % (o.seeds, bad))
    if not o.rules:
        return 1 if bad else 0
    silent = 0
    for rule in RULES:
        OFF.clear()
        OFF.add(rule)
        for s in range(1, 1501):
            why, _ = history(s)
            if why:
                print('without %s: seed %d: %s' % (rule, s, why[:100]))
                break
        else:
            print('without %s: NOT NOTICED' % rule)
            silent += 1
    return 1 if bad or silent else 0


if __name__ == '__main__':
    sys.exit(main())
