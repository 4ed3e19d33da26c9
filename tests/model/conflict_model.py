#!/usr/bin/env python3
"""Executable model of the name layer: one directory, one placement group, a few
replicas with a mount each.  Random short histories, full-state merges, oracles.

    conflict_model.py [HISTORIES] [SEED]   check all rules on, then each rule off

A *rule* switched off should show a violation; with all on there must be none.
Records are dotted causal containers.  A context is a plain set of exact dots.
"""
import random, sys
from collections import namedtuple

RULES = {
    "node_numbers":  "K comes from one counter per ordinal, not one per record",
    "flat_names":    "every sibling is name.conflict.K with its line's K, never nested",
    "line_rank":     "a version is ranked by its line, so editing a sibling never makes it head",
    "line_ends":     "a line's number ends when a version of it is removed but not continued",
    "void":          "rm and mv of the head leave a void that masks what the writer saw",
    "restore":       "an unlinked inode with content its removers did not see comes back",
    "copy":          "mv of one version among several, or of a restored one, moves a copy into an inode of its own",
    "copy_ids":      "inode and write_id of a copy derive from (inode, version), so equal copies coincide",
    "retire":        "a removed write_id is retired and merge drops it",
    "one_inode":     "slots of one inode under one name are one slot; an operation names them all",
    "other_names":   "a removal counts only with removals at the other names its caller still saw",
    "moot":          "removals of a version that stays as a sibling when its link goes count no longer",
    "base":          "rename over a name replaces the version its process read, not the head",
}
ON = dict.fromkeys(RULES, True)

Line = namedtuple("Line", "root hlc dot K")             # root = (hlc, dot) of the first line
Content = namedtuple("Content", "dot wid hlc line K data")
Slot = namedtuple("Slot", "dot wid hlc ino bare K")
Void = namedtuple("Void", "dot wid mask")
Gone = namedtuple("Gone", "dot hlc name bare wid left")   # left: other names
Shown = namedtuple("Shown", "name entry slot v number top")   # one directory listing line


class Rec:
    """A container: live versions, context, retired write_ids, and grow-only marks."""
    def __init__(self):
        self.vers, self.ctx, self.retired, self.ended, self.gone, self.moot = {}, *(set() for _ in range(5))

    def merge(self, o):
        keep = {d: v for d, v in self.vers.items() if d in o.vers or d not in o.ctx}
        keep.update({d: v for d, v in o.vers.items() if d in self.vers or d not in self.ctx})
        for mine, other in ((self.ctx, o.ctx), (self.retired, o.retired),
                            (self.ended, o.ended), (self.gone, o.gone), (self.moot, o.moot)):
            mine |= other
        self.vers = {d: v for d, v in sorted(keep.items()) if v.wid not in self.retired}

    def put(self, v, replaced=()):
        self.drop(replaced)
        self.ctx.add(v.dot)
        if v.wid not in self.retired:
            self.vers[v.dot] = v

    def drop(self, wids):
        if ON["retire"]:
            self.retired |= set(wids)
        self.vers = {d: v for d, v in self.vers.items() if v.wid not in wids}


class Replica:
    """One node and its mount.  Every operation acts on what this replica shows."""
    def __init__(self, ordinal):
        self.n, self.count, self.j, self.clock = ordinal, 0, 0, 0
        self.names, self.inodes = {}, {}           # entry records; content and marks

    # ---- identities -------------------------------------------------------------
    def dot(self):
        self.count += 1; self.clock += 1
        return (self.n, self.count)

    def number(self, rec, odd):
        """The label K = ordinal + 1000 j."""
        if ON["node_numbers"]:
            self.j += 1; j = self.j
        else:                                      # even j for contents, odd j for slots
            j = 2 * sum(d[0] == self.n for d in rec.ctx) + odd
        return self.n + 1000 * j

    def reg(self, ino):
        return self.inodes.setdefault(ino, Rec())

    def entry(self, name):
        return self.names.setdefault(name, Rec())

    # ---- lines ------------------------------------------------------------------
    def line(self, rec, v):
        """The line v shows: its own when its line ended or another version carries it."""
        split = len({w.wid for w in rec.vers.values() if w.line.dot == v.line.dot}) > 1
        if split or (ON["line_ends"] and v.line.dot in rec.ended):
            return Line(v.line.root, v.hlc, v.dot, v.K)
        return v.line

    def rank(self, rec, v):
        """By the first line, then the older split first: an edit never overtakes."""
        ln = self.line(rec, v)
        return (ln.root, -ln.hlc, ln.dot) if ON["line_rank"] else ((v.hlc, v.dot), 0, v.dot)

    def contents(self, slot):
        """Versions behind a slot, one per write_id, greatest first."""
        rec = self.reg(slot.ino); out = {}
        for d, v in sorted(rec.vers.items()):
            if slot.wid[0] != "orphan" or not self.dead(rec, v.wid):
                out.setdefault(v.wid, v)
        return sorted(out.values(), key=lambda v: self.rank(rec, v), reverse=True)

    def dead(self, rec, wid):
        """Seen by a remover, and by removers at every name that one had left."""
        seen = [m for m in rec.gone if wid == m.wid and m.dot not in rec.moot]
        at = {m.name for m in seen}
        return any(m.left <= at or not ON["other_names"] for m in seen)

    # ---- View, Head ---------------------------------------------------------------
    def linked(self, ino):
        return {n for n, r in self.names.items()
                if any(isinstance(s, Slot) and s.ino == ino for s in r.vers.values())}

    def slots(self, name):
        """Slots of an entry, one per inode, plus slots of restored inodes."""
        rec, out, masked = self.entry(name), {}, self.masked(name)
        good = lambda t: (t.wid not in masked, t.bare, t.hlc, t.dot)
        for d, s in sorted(rec.vers.items()):
            if isinstance(s, Slot):
                key = s.ino if ON["one_inode"] else s.wid
                out[key] = max(out.get(key, s), s, key=good)
        for ino, r in list(self.inodes.items()) if ON["restore"] else ():
            last = max(r.gone, key=lambda m: (m.hlc, m.dot), default=None)
            if last and last.name == name and not self.linked(ino):
                out[ino] = Slot(last.dot, ("orphan", ino), last.hlc, ino, last.bare, 0)
        return [s for s in out.values() if self.contents(s)]

    def masked(self, name):
        vs = self.entry(name).vers.values() if ON["void"] else ()
        return set().union(*(v.mask for v in vs if isinstance(v, Void)))

    def view(self, name):
        slots, masked = self.slots(name), self.masked(name)
        heads = [s for s in slots if s.bare and s.wid not in masked]
        head = max(heads, key=lambda s: (s.hlc, s.dot), default=None)
        out = []
        for s in slots:
            rec = self.reg(s.ino)
            for i, v in enumerate(self.contents(s)):
                k = self.line(rec, v).K
                label = "%s.conflict.%d" % (name, k)
                if not ON["flat_names"] and s is not head:
                    label = "%s.conflict.%d" % (name, s.K) + (".conflict.%d" % k if i else "")
                bare = s is head and i == 0
                out.append(Shown(name if bare else label, name, s, v, None if bare else k, i == 0))
        return out

    def listing(self):
        return [x for n in sorted(self.all_names()) for x in self.view(n)]

    def all_names(self):
        return set(self.names) | {m.name for r in self.inodes.values() for m in r.gone}

    def find(self, shown):
        return next((x for x in self.listing() if x.name == shown), None)

    # ---- the two halves of a rename -----------------------------------------------
    def copy(self, x):
        """The version x shows, alone in an inode of its own (a new one if that was used)."""
        d = self.dot(); ino = (x.slot.ino, x.v.wid)
        if ino in self.inodes or not ON["copy_ids"]:
            ino = d
        rec = self.reg(ino); k = self.number(rec, 0)
        rec.put(Content(d, ("copy", ino), self.clock, Line((self.clock, d), self.clock, d, k), k, x.v.data))
        return ino

    def shared(self, x):
        """Does more than x depend on the link x shows?"""
        return (not x.top or x.slot.wid[0] == "orphan" or
                len(self.contents(x.slot)) > 1 and len(self.linked(x.slot.ino)) < 2)

    def detach(self, x, gone):
        """Take what x shows off its name; siblings stay.  Returns its inode."""
        rec, e, ino = self.reg(x.slot.ino), self.entry(x.entry), x.slot.ino
        left = self.linked(ino) - {x.entry}
        if not gone and self.shared(x) and ON["copy"]:
            ino, gone = self.copy(x), True
        if not x.top:
            rec.drop({x.v.wid}); rec.ended.add(x.v.line.dot)
        else:
            e.drop({s.wid for s in e.vers.values() if isinstance(s, Slot) and
                    (s.ino == x.slot.ino if ON["one_inode"] else s.wid == x.slot.wid)})
            if gone:
                stay = {v.wid for v in self.contents(x.slot)} - {x.v.wid}
                if ON["moot"]:
                    rec.moot |= {m.dot for m in rec.gone if m.wid in stay}
                bare = x.number is None and not stay
                rec.gone.add(Gone(self.dot(), self.clock, x.entry, bare, x.v.wid, frozenset(left)))
                if not left or not ON["other_names"]:
                    rec.ended.add(x.v.line.dot)
        if x.number is None and self.slots(x.entry):
            mask = frozenset({s.wid for s in self.slots(x.entry)} |
                             {s.wid for s in e.vers.values() if isinstance(s, Slot)})
            d = self.dot(); e.put(Void(d, ("void", d), mask))
        return ino

    def attach(self, name, ino, bare=True):
        """A new slot; a bare one names the voids."""
        e = self.entry(name); d = self.dot()
        e.put(Slot(d, ("slot", d), self.clock, ino, bare, self.number(e, 1)),
              {v.wid for v in e.vers.values() if isinstance(v, Void) and bare})

    # ---- operations a user has -------------------------------------------------------
    def create(self, name, data):
        d = self.dot(); ino = d; rec = self.reg(ino); k = self.number(rec, 0)
        rec.put(Content(d, d, self.clock, Line((self.clock, d), self.clock, d, k), k, data))
        if name:
            self.attach(name, ino)
        return ino

    def write(self, x, data):
        """Through the bare name: a line of its own.  Through a number: the same line."""
        rec = self.reg(x.slot.ino); d = self.dot(); k = self.number(rec, 0)
        ln = Line((self.clock, d), self.clock, d, k) if x.number is None else self.line(rec, x.v)
        if ln.dot != x.v.line.dot:
            rec.ended.add(x.v.line.dot)
        rec.put(Content(d, d, self.clock, ln, k, data), {x.v.wid})

    def rm(self, x):
        self.detach(x, gone=True)

    def rename_over(self, ino, name, base):
        """Replace at name what shows the data `base`, keep all else as siblings."""
        for x in self.view(name):
            if x.v.data == base if ON["base"] else x.number is None:
                self.detach(x, gone=True)
                break
        self.attach(name, ino)

    def mv(self, x, name):
        over = self.find(name)
        if over and over.v.data == x.v.data:
            return
        ino = self.detach(x, gone=False)
        self.rename_over(ino, name, over.v.data if over else None)

    def link(self, x, name):
        if x.top and x.slot.wid[0] != "orphan":
            return self.attach(name, x.slot.ino)
        ino = self.copy(x)
        self.detach(x._replace(number=0), gone=True)
        self.attach(x.entry, ino, x.number is None)
        self.attach(name, ino)

    def merge(self, o):
        self.clock = max(self.clock, o.clock)
        for mine, other in ((self.names, o.names), (self.inodes, o.inodes)):
            for k, r in list(other.items()):
                mine.setdefault(k, Rec()).merge(r)


# ---- oracles --------------------------------------------------------------------------
class History:
    """Runs one random history; knows only listings, never the records."""
    def __init__(self, seed, nodes=3):
        self.r = random.Random(seed)
        self.reps = [Replica(i + 1) for i in range(nodes)]
        self.log, self.bad, self.anc, self.serial = [], [], {}, 0
        self.ever, self.cut, self.over, self.real, self.excused = (set() for _ in range(5))
        self.file, self.lone = {}, {}
        self.removed, self.kept, self.past, self.ops = {}, {}, [set() for _ in self.reps], 0
        self.last, self.read = [{} for _ in self.reps], [{} for _ in self.reps]

    def fail(self, kind, text):
        self.bad.append((kind, text))

    def data(self, *parents):
        self.serial += 1; d = "c%d" % self.serial
        self.anc[d] = set(parents).union(*(self.anc[p] for p in parents)); self.file[d] = d
        return d

    def names(self, i):
        """Listing as name -> data; checks uniqueness, labels and the Law for numbers."""
        rows = self.reps[i].listing(); out = {x.name: x.v.data for x in rows}
        if len(out) != len(rows):
            self.fail("UNIQUE", str([(x.name, x.v.data) for x in rows]))
        for x in rows:
            if x.number is not None:
                base, _, k = x.name.rpartition(".conflict.")
                if not k.isdigit() or str(int(k)) != k or (base != x.entry and ON["flat_names"]):
                    self.fail("LABEL", x.name)
                old = self.last[i].get(x.name, x.v.data)
                if old != x.v.data and old not in self.anc[x.v.data]:
                    self.fail("LAW", "%s at %d: %s then %s" % (x.name, i + 1, old, x.v.data))
                self.last[i][x.name] = x.v.data
        return out

    def pairs(self, i):
        """What is shown under which entry; remembered to judge LOST."""
        p = {(x.v.data, x.entry) for x in self.reps[i].listing()}
        self.ever |= p
        return p

    def step(self):
        i = self.r.randrange(len(self.reps)); R = self.reps[i]; before = self.names(i); pairs = self.pairs(i)
        rows = R.listing(); bare = [x for x in rows if x.number is None]
        name, other = self.r.sample(["a", "b"], 2)
        kind = self.r.choice(["write", "write", "writeK", "writeK", "rm", "rmK", "mv", "mvK", "mvKname",
                              "create", "save", "save", "link", "read"])
        x = None
        if kind in ("write", "rm", "mv", "link", "read"):
            if not bare: kind = "create"
            else: x = self.r.choice(bare)
        elif kind in ("writeK", "rmK", "mvK", "mvKname"):
            nums = [y for y in rows if y.number is not None]
            if not nums: kind = "write" if bare else "create"; x = bare[0] if bare else None
            else: x = self.r.choice(nums)
        target = x.entry if x else name
        if kind == "create" and name in before: kind = "save"
        if kind == "link" and (other == x.entry or other in before): kind = "read"
        if kind == "mv": target = "b" if x.entry == "a" else "a"
        if kind == "mvK": target = "b" if x.entry == "a" else "a"
        put = None; gone_ok = {x.v.data} if x else set()
        if kind == "read":
            self.read[i][x.entry] = x.v.data
        elif kind in ("write", "writeK"):
            put = self.data(x.v.data); R.write(x, put); self.over.add(x.v.data)
            self.file[put] = self.file[x.v.data]
        elif kind in ("rm", "rmK"):
            R.rm(x)
        elif kind == "create":
            put = self.data(); R.create(name, put)
        elif kind == "save":
            head = before.get(name); base = self.read[i].get(name, head)
            gone_ok |= {base}; put = self.data(*([base] if base else []))
            R.rename_over(R.create(None, put), name, base); self.read[i][name] = put
        elif kind == "link":
            R.link(x, other); target = other; put = x.v.data; gone_ok = set()
        else:
            gone_ok = {before.get(target)}; put = x.v.data; R.mv(x, target)
        self.ops += 1; op = self.ops
        after = self.names(i); self.past[i].add(op)
        self.log.append("%d: %s %s -> %s %s" % (i + 1, kind, x.name if x else name,
                                             "" if kind in ("rm", "rmK") else target + " " + str(put), after))
        if kind in ("mvK", "mvKname") and not x.top:
            self.lone.setdefault(x.v.data, set()).add(op)
        if kind in ("mv", "mvK", "mvKname", "link"):
            self.kept.setdefault(self.file[put], []).append(op)
        for d in set(before.values()) - set(after.values()):
            if d not in gone_ok: self.fail("COLLATERAL", "%s vanished by %s" % (d, kind))
            self.removed.setdefault(d, []).append((op, set(self.past[i])))
            # A sibling goes at every link; so it does when it is first moved away, then removed.
            if d in {y.v.data for y in rows if not y.top} or self.lone.get(d, set()) & self.past[i]:
                self.over.add(d)
        now = self.pairs(i); self.cut |= pairs - now
        # What a mv takes off its own name is moved, everything else an op takes off is removed.
        # (Judged op by op: mv between two links of one file does nothing, and a later rm is a rm.)
        gone_by_mv = (self.file[x.v.data], x.entry) if kind in ("mv", "mvK") else None
        self.real |= {d for d, e in pairs - now if (self.file[d], e) != gone_by_mv}
        if put and put not in after.values(): self.fail("RYW", "%s not shown after %s" % (put, kind))
        for n in ("a", "b"):                       # the Law for the bare name
            old, new = before.get(n), after.get(n)
            if old and new and old != new and old not in self.anc[new] and not (n == target and new == put):
                self.fail("BARE", "%s: %s then %s by %s" % (n, old, new, kind))

    def join(self, i, j):
        """Merge; a link that goes while the file is still shown elsewhere is no loss."""
        old = self.pairs(i); self.reps[i].merge(self.reps[j]); new = self.pairs(i)
        self.excused |= {p for p in old - new if p[0] in {d for d, e in new}}

    def sync(self):
        i, j = self.r.sample(range(len(self.reps)), 2)
        self.join(i, j); self.past[i] |= self.past[j]
        self.log.append("   %d <- %d %s" % (i + 1, j + 1, self.names(i)))

    def run(self):
        for _ in range(self.r.randint(4, 8)):
            self.step()
            while self.r.random() < 0.5: self.sync()
        for _ in (1, 2):
            order = [(i, j) for i in range(len(self.reps)) for j in range(len(self.reps)) if i != j]
            self.r.shuffle(order)
            for i, j in order:
                self.join(i, j); self.names(i)
        end = [self.names(i) for i in range(len(self.reps))]
        self.log.append("end %s" % end[0])
        if any(e != end[0] for e in end): self.fail("DIVERGED", str(end))
        shown = set(end[0].values())
        taken = {(self.file[d], e) for d, e in self.cut}          # names somebody took from a file
        for d in self.anc:
            rest = [p for p in self.ever - self.excused if p[0] == d and (self.file[d], p[1]) not in taken]
            if d not in shown | self.over and (rest or d not in self.real | set(self.removed)): self.fail("LOST", d)
            for op, past in self.removed.get(d, []) if d in shown else []:
                if not any(k not in past for k in self.kept.get(self.file[d], [])):
                    self.fail("RESURRECTED", d); break
        R, todo = self.reps[0], list(end[0])       # rm -rf: names listed once, then removed
        self.r.shuffle(todo)
        for n in todo:
            x = R.find(n)
            if x: R.rm(x)
        if R.listing(): self.fail("NOTEMPTY", str([x.name for x in R.listing()]))
        return self.bad


def check(histories, seed):
    counts, best = {}, {}
    for s in range(seed, seed + histories):
        h = History(s, 2 + s % 2)
        for kind, text in h.run():
            counts[kind] = counts.get(kind, 0) + 1
            if kind not in best or len(h.log) < len(best[kind][1]): best[kind] = (text, h.log)
    return counts, best


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    counts, best = check(n, seed)
    print("all rules on: %d histories, violations: %s" % (n, counts or "none"))
    for kind, (text, log) in sorted(best.items()):
        print("  %s %s\n    %s" % (kind, text, "\n    ".join(log)))
    for rule in RULES if not counts else ():
        ON[rule] = False
        c, b = check(max(1, n // 4), seed)
        ON[rule] = True
        print("without %-13s %s" % (rule, c or "NO VIOLATION FOUND"))
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
