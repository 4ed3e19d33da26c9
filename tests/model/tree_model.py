#!/usr/bin/env python3
"""tree_model.py -- where directories are, when several sides move, remove and make them.

Nodes hold, of each directory, its links (one a name it was given, with hlc and `came`: where it
was before) and the marks of those who removed it; a move names the link it takes away, so links
of two sides survive each other. Looking computes the one place of each directory. Names do not
matter here: a place is a parent. The rules, each with a switch:

  latest   of several links the greatest (hlc, dot) counts, the others show as symbolic links
  skip     in a loop the latest move is not made: that directory is where an older link of it
           says, else at `came`; and again, until no loop is left
  ended    who removes a directory takes all links of it that were seen, not only the one shown
  same     a move inside one directory keeps the `came` of the link it takes away
  stay     who removes the symbolic link of a move that is not made gives it a link where it is
  restore  a removed directory with something below it is where it was removed
  back     and in a loop where it came from before

    tree_model.py [HISTORIES] [SEED]     must find nothing; then each rule off must show a violation
"""
import random
import sys

ROOT = 0
# Rules, and a seed at which looking for a history that needs one may begin.
RULES = {"latest": 1, "skip": 1, "ended": 1, "same": 20600, "stay": 1, "restore": 1, "back": 8000}
NODES = 3


class Violation(Exception):
    pass


class Node:
    def __init__(self, number):
        self.number, self.count, self.clock = number, 0, 0
        self.born = set()   # directories it knows
        self.link = {}      # (dir, wid) -> (parent, hlc, dot, came)
        self.dropped = set()
        self.gone = {}      # (dir, wid) -> (parent, hlc, dot, came)

    def stamp(self):
        self.count += 1
        self.clock += 1
        return self.clock, (self.number, self.count)

    def sync(self, other):
        self.clock = max(self.clock, other.clock)
        self.born |= other.born
        self.dropped |= other.dropped
        self.link.update(other.link)
        self.gone.update(other.gone)
        self.link = {k: v for k, v in self.link.items() if k not in self.dropped}

    def links(self, d):
        return sorted(((v[1], v[2], k, v[0], v[3]) for k, v in self.link.items() if k[0] == d),
                      reverse=True)


class View:
    """What a node shows: place[d] is the parent; symlink: links that lost."""

    def __init__(self, node, off):
        self.node, self.off = node, off
        self.place, self.choice = {}, {}
        for d in sorted(node.born):
            options = self.options(d)
            if options:
                self.choice[d] = options
        if "skip" not in off:
            self.break_loops()
        self.place = {d: options[0][2] for d, options in self.choice.items()}
        self.drop_the_dead()

    def options(self, d):
        """(hlc, dot, parent), the best first; those behind the first are where it may go back."""
        links = self.node.links(d)
        if links:
            best = links[0] if "latest" not in self.off else links[-1]
            rest = [] if "latest" in self.off else [(x[0], x[1], x[3]) for x in links[1:]]
            return [(best[0], best[1], best[3])] + rest + [(0, best[1], p) for p in best[4]]
        gone = sorted(((v[1], v[2], v[0], v[3]) for k, v in self.node.gone.items() if k[0] == d),
                      reverse=True)
        if gone and "restore" not in self.off:
            return [(0, gone[0][1], gone[0][2])] + [(0, gone[0][1], p) for p in gone[0][3]]
        return []

    def loop_from(self, d):
        seen = []
        while d != ROOT and d in self.choice:
            if d in seen:
                return seen[seen.index(d):]
            seen.append(d)
            d = self.choice[d][0][2]
        return []

    def break_loops(self):
        for d in sorted(self.choice):
            loop = self.loop_from(d)
            while loop:
                last = max((x for x in loop if len(self.choice[x]) > 1), default=None,
                           key=lambda x: (self.choice[x][0][0], self.choice[x][0][1]))
                if last is None:
                    raise Violation("a loop that nothing opens: %r" % loop)
                self.choice[last] = self.choice[last][1:]
                loop = self.loop_from(d)

    def drop_the_dead(self):
        """A removed directory with nothing alive below it is not there."""
        while True:
            used = set(self.place.values())
            dead = [d for d in self.place if not self.node.links(d) and d not in used]
            if not dead:
                return
            for d in dead:
                del self.place[d]

    def below(self, top):
        under, grew = {top}, True
        while grew:
            more = {d for d, p in self.place.items() if p in under} - under
            under |= more
            grew = bool(more)
        return under


class World:
    def __init__(self, rng, off):
        self.rng, self.off = rng, off
        self.node = [Node(i + 1) for i in range(NODES)]
        self.next, self.removed, self.told = 1, [], []

    def view(self, node):
        return View(node, self.off)

    def mkdir(self, node, view):
        parent = self.rng.choice([ROOT] + [d for d in view.place if node.links(d)])
        d, self.next = self.next, self.next + 1
        hlc, dot = node.stamp()
        node.born.add(d)
        node.link[(d, dot)] = (parent, hlc, dot, ())
        self.told.append("%d: mkdir %d in %d" % (node.number, d, parent))

    def move(self, node, view):
        if not view.place:
            return
        d = self.rng.choice(sorted(view.place))
        to = sorted(({ROOT} | {x for x in view.place if node.links(x)}) - view.below(d))
        if not to or not node.links(d):
            return
        parent = self.rng.choice(to)
        hlc, dot = node.stamp()
        came = (view.place[d],)
        for _, _, key, p, old in node.links(d):
            if p == view.place[d]:
                node.dropped.add(key)
                del node.link[key]
                if p == parent and "same" not in self.off:
                    came = old
        node.link[(d, dot)] = (parent, hlc, dot, came)
        self.told.append("%d: mv %d to %d" % (node.number, d, parent))

    def rmdir(self, node, view):
        empty = [d for d in view.place if d not in view.place.values()]
        if not empty:
            return
        d = self.rng.choice(sorted(empty))
        hlc, dot = node.stamp()
        links = node.links(d)
        came = links[0][4] if links and "back" not in self.off else ()
        node.gone[(d, dot)] = (view.place[d], hlc, dot, came)
        for _, _, key, _, _ in links if "ended" not in self.off else links[:1]:
            node.dropped.add(key)
            del node.link[key]
        if d in self.view(node).place:
            raise Violation("%d is there after rmdir" % d)
        self.told.append("%d: rmdir %d" % (node.number, d))

    def rmlink(self, node, view):
        """Removes a symbolic link: the link of a directory that is elsewhere."""
        lost = [x[2] for d in sorted(view.place) for x in node.links(d) if x[3] != view.place[d]]
        if not lost:
            return
        key = self.rng.choice(sorted(lost))
        d = key[0]
        hlc, dot = node.stamp()
        parents = [x[3] for x in node.links(d)]
        node.dropped.add(key)
        del node.link[key]
        if view.place[d] not in parents and "stay" not in self.off:
            node.link[(d, dot)] = (view.place[d], hlc, dot, ())
        self.told.append("%d: rm link %s" % (node.number, key))
        if self.view(node).place.get(d) != view.place[d]:
            raise Violation("node %d: %d went with its link" % (node.number, d))

    def check(self, node):
        view = self.view(node)
        reach = view.below(ROOT)
        for d in node.born:
            if node.links(d) and d not in reach:
                raise Violation("node %d: %d is not below the root" % (node.number, d))
        for d, parent in view.place.items():
            if parent not in reach:
                raise Violation("node %d: %d is in %d, which is not there"
                                % (node.number, d, parent))
        for d in node.born:
            links = node.links(d)
            if "latest" in self.off and len(links) > 1:
                newest = links[0][3]
                if view.place.get(d) != newest:
                    raise Violation("node %d: %d is not where it was moved last"
                                    % (node.number, d))
        return view.place

    def sync(self, to, other):
        to.sync(other)
        self.told.append("%d: sync %d" % (to.number, other.number))

    def run(self, steps):
        for _ in range(steps):
            node = self.rng.choice(self.node)
            what = self.rng.random()
            if what < 0.25:
                self.mkdir(node, self.view(node))
            elif what < 0.65:
                self.move(node, self.view(node))
            elif what < 0.75:
                self.rmdir(node, self.view(node))
            elif what < 0.8:
                self.rmlink(node, self.view(node))
            else:
                self.sync(node, self.rng.choice([x for x in self.node if x is not node]))
            self.check(node)
        for _ in range(2):
            for a in self.node:
                for b in self.node:
                    if a is not b:
                        self.sync(a, b)
        seen = [self.check(a) for a in self.node]
        if any(x != seen[0] for x in seen):
            raise Violation("nodes that hold the same show different trees")


def one(seed, off, tell=False):
    rng = random.Random(seed)
    world = World(rng, off)
    try:
        world.run(rng.randint(6, 40))
    except Violation as e:
        if tell:
            print("\n".join(world.told))
        return str(e)
    return None


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for seed in range(first, first + count):
        wrong = one(seed, ())
        if wrong:
            one(seed, (), True)
            print("seed %d: %s" % (seed, wrong))
            return 1
    print("%d histories, nothing found" % count)
    missed = 0
    for rule, seed in RULES.items():
        hit = next((s for s in range(seed, seed + 1000) if one(s, (rule,))), None)
        missed += hit is None
        print("without %-8s %s" % (rule, "nothing found" if hit is None else
                                   "seed %d: %s" % (hit, one(hit, (rule,)))))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
