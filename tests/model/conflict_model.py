#!/usr/bin/env python3
"""Executable model of the name layer: one directory, one placement group, a few
replicas with a mount each.  Random short histories, full-state merges, oracles.

    conflict_model.py [HISTORIES] [SEED]   check all rules on, then each rule off
    conflict_model.py --long N [SEED]      all rules on, histories of up to 14 operations
    conflict_model.py --ahead N [SEED]     one clock is far ahead at times; then without `later`
    conflict_model.py --trace SEED COUNT   print histories for another implementation to follow
    conflict_model.py --replay < SCRIPT    run such a script here; complain where a listing differs

A *rule* switched off should show a violation; with all on there must be none.
README.md states the rules in words.  A context is a plain set of exact dots.
"""
import os, random, sys
from collections import Counter, namedtuple

RULES = {
    "own_numbers":   "K comes from one counter per ordinal, not one per record",
    "line_rank":     "a version is ranked by its line, so editing a sibling never makes it head",
    "line_ends":     "a line's number ends when a version of it is removed but not continued",
    "void":          "rm and mv of the head leave a void that masks what the writer saw",
    "restore":       "an unlinked inode with content its removers did not see comes back",
    "restored_bare": "... at the bare name only if its remover saw nothing else of it there",
    "copy":          "mv of one version among several, or of a restored one, moves a copy of it",
    "copy_ids":      "ids of a copy derive from (inode, version), so equal copies coincide",
    "copy_fresh":    "... but an inode already used for a copy is not used again",
    "retire":        "a removed write_id is retired and merge drops it",
    "one_inode":     "slots of one inode under one name are one slot; an operation names them all",
    "other_names":   "a removal counts only with removals at the other names its caller still saw",
    "moot":          "removals of a version that stays when its link goes count no longer",
    "base":          "rename over a name replaces the version its process read, not the head",
    "equal":         "two inodes of one name that hold the same show once, and are one to all",
    "later":         "an operation is dated later than what it saw, however far ahead that is",
}
ON = dict.fromkeys(RULES, True)

Stamp = namedtuple("Stamp", "dot hlc K")                # one for each operation of a user
Line = namedtuple("Line", "hlc dot K")                  # K is its identity, the rest its rank
Content = namedtuple("Content", "dot wid hlc K line data")
Slot = namedtuple("Slot", "dot wid hlc ino bare")
Void = namedtuple("Void", "dot wid mask")               # mask: write_ids of slots
Gone = namedtuple("Gone", "hlc dot name wid bare left")     # wid: the version; left: other names
Shown = namedtuple("Shown", "name entry slot v number top")     # one directory listing line


class Rec:
    """A container: live versions, context, retired write_ids; an inode's has grow-only marks."""
    def __init__(self):
        self.vers, self.ctx, self.retired = {}, set(), set()
        self.ended, self.gone, self.moot = set(), set(), set()

    def merge(self, o):
        keep = {d: v for d, v in self.vers.items() if d in o.vers or d not in o.ctx}
        keep.update({d: v for d, v in o.vers.items() if d in self.vers or d not in self.ctx})
        for field in ("ctx", "retired", "ended", "gone", "moot"):
            getattr(self, field).update(getattr(o, field))
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
        self.n, self.count, self.clock, self.ahead = ordinal, 0, 0, 0
        self.names, self.inodes = {}, {}           # entry records; content and marks

    def stamp(self, *names):
        """For an operation on these names: later than all it saw there.  The clock follows others,
        but not what is dated too far ahead."""
        self.count += 1; self.clock += 1
        hlc = self.clock + self.ahead
        if ON["later"]: hlc = max([hlc] + [1 + h for n in names for h in self.dates(n)])
        return Stamp((self.n, self.count), hlc, self.n + 1000 * self.count)

    def dates(self, name):
        """Of all that an operation on name looks at."""
        slots = [s for s in self.entry(name).vers.values() if isinstance(s, Slot)]
        inos = {s.ino for s in slots} | {i for i, r in self.inodes.items()
                                         if any(m.name == name for m in r.gone)}
        out = [s.hlc for s in slots]
        for r in [self.reg(i) for i in inos]:
            out += [m.hlc for m in r.gone]
            out += [h for v in r.vers.values() for h in (v.hlc, v.line.hlc)]
        return out

    def reg(self, ino):
        return self.inodes.setdefault(ino, Rec())

    def entry(self, name):
        return self.names.setdefault(name, Rec())

    # ---- lines ------------------------------------------------------------------
    @staticmethod
    def new_line(t):
        return Line(t.hlc, t.dot, t.K)

    def line(self, rec, v):
        """The line v shows: its own, of the same rank, when its line ended or is shared."""
        split = any(w.line.K == v.line.K and w.wid != v.wid for w in rec.vers.values())
        if split or (ON["line_ends"] and v.line.K in rec.ended):
            return v.line._replace(K=v.K)
        return v.line

    def rank(self, rec, v):
        ln = self.line(rec, v)
        return (ln.hlc, ln.dot, ln.K) if ON["line_rank"] else (v.hlc, v.dot)

    # ---- View, Head ---------------------------------------------------------------
    def contents(self, slot):
        """Versions behind a slot, one per write_id, greatest first."""
        rec = self.reg(slot.ino); out = {}
        for d, v in sorted(rec.vers.items()):
            if slot.wid[0] != "restored" or not self.removed(rec, v.wid):
                out.setdefault(v.wid, v)
        return sorted(out.values(), key=lambda v: self.rank(rec, v), reverse=True)

    @staticmethod
    def removed(rec, wid):
        """Seen by a remover, and by removers at every name that one had left."""
        seen = [m for m in rec.gone if m.wid == wid and m not in rec.moot]
        at = {m.name for m in seen}
        return any(m.left <= at or not ON["other_names"] for m in seen)

    def linked(self, ino):
        return {n for n, r in self.names.items()
                if any(isinstance(s, Slot) and s.ino == ino for s in r.vers.values())}

    def masked(self, name):
        vs = self.entry(name).vers.values() if ON["void"] else ()
        return set().union(*(v.mask for v in vs if isinstance(v, Void)))

    def slots(self, name):
        """Slots of an entry that show something, one per inode, plus those of restored inodes."""
        out = {}
        for s in self.entry(name).vers.values():
            if isinstance(s, Slot):
                key = s.ino if ON["one_inode"] else s.wid
                out[key] = max(out.get(key, s), s, key=lambda s: (s.hlc, s.dot))
        for ino, r in list(self.inodes.items()) if ON["restore"] else ():
            last = max(r.gone, default=None, key=lambda m: (m.hlc, m.dot, not m.bare))
            if last and last.name == name and not self.linked(ino):
                bare = last.bare or not ON["restored_bare"]
                out[ino] = Slot(last.dot, ("restored", ino), last.hlc, ino, bare)
        return [s for s in out.values() if self.contents(s)]

    def view(self, name):
        """Listing lines of an entry, head first, then slots from the greatest down."""
        masked = self.masked(name)
        heads = lambda s: (s.bare and s.wid not in masked, s.hlc, s.dot,
                           s.wid[0] == "slot", self.contents(s)[0].dot)
        out = []
        for s in sorted(self.slots(name), key=heads, reverse=True):
            for i, v in enumerate(self.contents(s)):
                k = self.line(self.reg(s.ino), v).K
                bare = not out and heads(s)[0]
                shown = name if bare else "%s.conflict.%d" % (name, k)
                out.append(Shown(shown, name, s, v, None if bare else k, i == 0))
        return out

    def twins(self, name):
        """Lines of a view and those that stand behind each: a slot of another inode, of no other
        name, that has that one content only."""
        out = []
        for x in self.view(name):
            first = next((o for o in out if o[0].v.data == x.v.data), None)
            if (ON["equal"] and first and first[0].slot.ino != x.slot.ino and
                    x.slot.wid[0] == "slot" and len(self.contents(x.slot)) == 1 and
                    self.linked(x.slot.ino) == {name}):
                first[1].append(x)
            else:
                out.append((x, []))
        return out

    def listing(self):
        names = set(self.names) | {m.name for r in self.inodes.values() for m in r.gone}
        return [x for n in sorted(names) for x, _ in self.twins(n)]

    def alone(self, t, x):
        """What stands behind x is removed by whoever works on x."""
        for y, behind in self.twins(x.entry):
            if (y.slot.ino, y.v.wid) == (x.slot.ino, x.v.wid):
                for z in behind: self.detach(t, z)

    def find(self, shown):
        return next((x for x in self.listing() if x.name == shown), None)

    # ---- parts of operations --------------------------------------------------------
    def content(self, t, ino, wid, line, data, replaced=()):
        rec = self.reg(ino)
        k = t.K if ON["own_numbers"] else self.n + 1000 * sum(d[0] == self.n for d in rec.ctx)
        if k != t.K and line.dot == t.dot: line = line._replace(K=k)
        rec.put(Content(t.dot, wid, t.hlc, k, line, data), replaced)

    def copy(self, t, x):
        """The version x shows, alone in an inode of its own (a new one if that was used)."""
        ino = (x.slot.ino, x.v.wid)
        if not ON["copy_ids"] or (ON["copy_fresh"] and ino in self.inodes):
            ino = t.dot
        self.content(t, ino, ("copy", ino), self.new_line(t), x.v.data)
        return ino

    def detach(self, t, x):
        """Remove what x shows.  A sibling: the version, at every link.  A slot's greatest:
        the slot, and the inode remembers what its remover saw."""
        rec = self.reg(x.slot.ino)
        if not x.top:
            rec.drop({x.v.wid})
            if x.v.line.K != x.v.K: rec.ended.add(x.v.line.K)
            return
        stay = {v.wid for v in self.contents(x.slot)} - {x.v.wid}
        self.unslot(x)
        left = self.linked(x.slot.ino)
        if ON["moot"]:
            rec.moot |= {m for m in rec.gone if m.wid in stay}
        bare = x.number is None and not stay
        rec.gone.add(Gone(t.hlc, t.dot, x.entry, x.v.wid, bare, frozenset(left)))

    def unslot(self, x):
        e = self.entry(x.entry)
        e.drop({s.wid for s in e.vers.values() if isinstance(s, Slot) and
                (s.ino == x.slot.ino if ON["one_inode"] else s.wid == x.slot.wid)})

    def cover(self, t, x):
        """When the head went and others are left: a void masks them all."""
        seen = {s.wid for s in self.slots(x.entry)}
        if x.number is None and seen:
            seen |= {s.wid for s in self.entry(x.entry).vers.values() if isinstance(s, Slot)}
            self.entry(x.entry).put(Void(t.dot, ("void", t.dot), frozenset(seen)))

    def attach(self, t, name, ino, bare=True):
        """A new slot; a bare one names the voids."""
        e = self.entry(name)
        e.put(Slot(t.dot, ("slot", t.dot), t.hlc, ino, bare),
              {v.wid for v in e.vers.values() if isinstance(v, Void) and bare})

    def rename_over(self, t, ino, name, base):
        """Replace at name what shows the data `base`, keep all else as siblings."""
        for x, _ in self.twins(name):
            if x.v.data == base if ON["base"] else x.number is None:
                self.alone(t, x); self.detach(t, x)
                break
        self.attach(t, name, ino)

    # ---- operations a user has -------------------------------------------------------
    def create(self, name, data):
        t = self.stamp(name)
        self.content(t, t.dot, t.dot, self.new_line(t), data)
        self.attach(t, name, t.dot)

    def save(self, name, data, base):
        """A temporary file renamed over name by a process that had read `base` there."""
        t = self.stamp(name)
        self.content(t, t.dot, t.dot, self.new_line(t), data)
        self.rename_over(t, t.dot, name, base)

    def write(self, x, data):
        """Through the bare name: a line of its own.  Through a number: the same line."""
        t = self.stamp(x.entry); rec = self.reg(x.slot.ino); self.alone(t, x)
        ln = self.new_line(t) if x.number is None else self.line(rec, x.v)
        if x.v.line.K not in (x.v.K, ln.K):
            rec.ended.add(x.v.line.K)
        self.content(t, x.slot.ino, t.dot, ln, data, {x.v.wid})

    def rm(self, x):
        t = self.stamp(x.entry); self.alone(t, x)
        self.detach(t, x); self.cover(t, x)

    def mv(self, x, name):
        over = self.find(name)
        if over and (over.slot.ino, over.v.wid) == (x.slot.ino, x.v.wid):
            return
        t = self.stamp(x.entry, name); ino = x.slot.ino; self.alone(t, x)
        alone = len(self.contents(x.slot)) == 1
        if not ON["copy"] or alone and x.slot.wid[0] != "restored":
            self.unslot(x)
        else:
            ino = self.copy(t, x); self.detach(t, x)
        self.cover(t, x)
        self.rename_over(t, ino, name, over.v.data if over else None)

    def link(self, x, name):
        t = self.stamp(x.entry, name); ino = x.slot.ino
        if not x.top or x.slot.wid[0] == "restored":
            ino = self.copy(t, x); self.detach(t, x)
            self.attach(t, x.entry, ino, x.number is None)
        self.attach(t, name, ino)

    def merge(self, o):
        self.clock = max(self.clock, o.clock)
        for mine, other in ((self.names, o.names), (self.inodes, o.inodes)):
            for k, r in list(other.items()):
                mine.setdefault(k, Rec()).merge(r)


# ---- oracles --------------------------------------------------------------------------
class History:
    """Runs one random history; knows only listings, never the records."""
    def __init__(self, seed, nodes=3, most=8, ahead=0):
        self.r, self.most, self.trace = random.Random(seed), most, ["H %d" % nodes]
        self.ahead = ahead
        self.reps = [Replica(i + 1) for i in range(nodes)]
        self.log, self.bad, self.anc, self.serial = [], [], {}, 0
        self.ever, self.cut, self.over, self.real, self.excused = (set() for _ in range(5))
        self.file, self.lone = {}, {}
        self.removed, self.kept, self.past, self.ops = {}, {}, [set() for _ in self.reps], 0
        self.made, self.met = {}, [set() for _ in self.reps]
        self.last, self.read = [{} for _ in self.reps], [{} for _ in self.reps]

    def tell(self, i, *words):
        """A line of the trace and what node i lists after it."""
        rows = sorted((x.name, x.v.data) for x in self.reps[i].listing())
        self.trace += [" ".join(map(str, words))] + ["= %s %s" % row for row in rows or [("", "")]]

    def fail(self, kind, text):
        self.bad.append((kind, text))

    def data(self, *parents):
        self.serial += 1; d = "c%d" % self.serial
        self.anc[d] = set(parents).union(*(self.anc[p] for p in parents)); self.file[d] = d
        return d

    def same(self, i, name):
        """Sometimes what another node has created under the name, and this one has not met."""
        j, d, op = self.made.get(name, (i, None, 0))
        if j == i or d in self.met[i] or self.r.random() < 0.3:
            return None
        self.kept.setdefault(d, []).extend([op, self.ops + 1])  # for who removes one unaware
        return d

    def names(self, i):
        """Listing as name -> data; checks uniqueness, labels and the Law for numbers."""
        rows = self.reps[i].listing(); out = {x.name: x.v.data for x in rows}
        self.met[i] |= set(out.values())
        if len(out) != len(rows):
            self.fail("UNIQUE", str([(x.name, x.v.data) for x in rows]))
        for x in rows:
            if x.number is not None:
                base, _, k = x.name.rpartition(".conflict.")
                if not k.isdigit() or str(int(k)) != k or base != x.entry:
                    self.fail("LABEL", x.name)
                old = self.last[i].get(x.name, x.v.data)
                if old != x.v.data and old not in self.anc[x.v.data]:
                    self.fail("LAW", "%s at %d: %s then %s" % (x.name, i + 1, old, x.v.data))
                self.last[i][x.name] = x.v.data
        return out

    def pairs(self, i):
        """What is shown under which entry, and how often; remembered to judge LOST."""
        p = Counter((x.v.data, x.entry) for x in self.reps[i].listing())
        self.ever |= set(p)
        return p

    def step(self):
        i = self.r.randrange(len(self.reps)); R = self.reps[i]
        if self.ahead: R.ahead = self.ahead if i == 0 and self.r.random() < 0.4 else 0
        before = self.names(i); pairs = self.pairs(i)
        rows = R.listing(); bare = [x for x in rows if x.number is None]
        name, other = self.r.sample(["a", "b"], 2)
        kind = self.r.choice(["write", "write", "writeK", "writeK", "rm", "rmK", "mv", "mvK",
                              "mvKname",
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
            said = ("write", x.name, put)
            self.file[put] = self.file[x.v.data]
        elif kind in ("rm", "rmK"):
            R.rm(x); said = ("rm", x.name)
        elif kind == "create":
            put = self.same(i, name) or self.data(); R.create(name, put)
            self.made[name] = (i, put, self.ops + 1); said = ("create", name, put)
        elif kind == "save":
            head = before.get(name); base = self.read[i].get(name, head)
            gone_ok |= {base}; put = self.data(*([base] if base else []))
            R.save(name, put, base); self.read[i][name] = put
            said = ("save", name, put, base or "-")
        elif kind == "link":
            R.link(x, other); target = other; put = x.v.data; gone_ok = set()
            said = ("link", x.name, other)
        else:
            gone_ok = {before.get(target)}; put = x.v.data; R.mv(x, target)
            said = ("mv", x.name, target)
        if kind != "read": self.tell(i, "op", i + 1, *said)
        self.ops += 1; op = self.ops
        after = self.names(i); self.past[i].add(op)
        self.log.append("%d: %s %s -> %s %s" % (i + 1, kind, x.name if x else name,
                        "" if "rm" in kind else "%s %s" % (target, put), after))
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
        now = self.pairs(i); self.cut |= set(pairs - now)    # copies of one version count singly
        # What a mv takes off its own name is moved, everything else an op takes off is removed.
        # (Judged op by op: mv between two links of one file does nothing, and a later rm is a rm.)
        gone_by_mv = (self.file[x.v.data], x.entry) if kind in ("mv", "mvK") else None
        self.real |= {d for d, e in pairs - now if (self.file[d], e) != gone_by_mv}
        if put and put not in after.values():
            self.fail("RYW", "%s not shown after %s" % (put, kind))
        for n in ("a", "b"):                       # the Law for the bare name
            old, new = before.get(n), after.get(n)
            own = n == target and new == put
            if old and new and old != new and old not in self.anc[new] and not own:
                self.fail("BARE", "%s: %s then %s by %s" % (n, old, new, kind))

    def join(self, i, j):
        """Merge; a link that goes while the file is still shown elsewhere is no loss."""
        old = self.pairs(i); self.reps[i].merge(self.reps[j]); new = self.pairs(i)
        self.tell(i, "sync", i + 1, j + 1)
        self.excused |= {p for p in set(old) - set(new) if p[0] in {d for d, e in new}}

    def sync(self):
        i, j = self.r.sample(range(len(self.reps)), 2)
        self.join(i, j); self.past[i] |= self.past[j]
        self.log.append("   %d <- %d %s" % (i + 1, j + 1, self.names(i)))

    def run(self):
        for _ in range(self.r.randint(4, self.most)):
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
            rest = [p for p in self.ever - self.excused
                    if p[0] == d and (self.file[d], p[1]) not in taken]
            if d not in shown | self.over and (rest or d not in self.real | set(self.removed)):
                self.fail("LOST", d)
            for op, past in self.removed.get(d, []) if d in shown else []:
                if not any(k not in past for k in self.kept.get(self.file[d], [])):
                    self.fail("RESURRECTED", d); break
        R, todo = self.reps[0], list(end[0])       # rm -rf: names listed once, then removed
        self.r.shuffle(todo)
        for n in todo:
            x = R.find(n)
            if x: R.rm(x); self.tell(0, "op", 1, "rm", n)
        if R.listing(): self.fail("NOTEMPTY", str([x.name for x in R.listing()]))
        return self.bad


def replay(lines):
    """Run scripts; returns the lines after which a listing was not as they say."""
    reps, bad, last, want, node = [], [], "", None, None
    for n, text in enumerate(list(lines) + ["H 0"], 1):
        w = text.split()
        if not w or w[0] == "#":
            continue
        if w[0] == "=":
            want = (want or []) + ([w[1:]] if len(w) > 1 else [])
            continue
        if want is not None and sorted(want) != sorted([x.name, x.v.data] for x in node.listing()):
            bad.append("line %s: %s" % (last, sorted((x.name, x.v.data) for x in node.listing())))
        want, last = None, "%d: %s" % (n, text.strip())
        if w[0] == "H":
            reps = [Replica(i + 1) for i in range(int(w[1]))]
            continue
        node = reps[int(w[1]) - 1]
        if w[0] == "sync":
            node.merge(reps[int(w[2]) - 1])
        elif w[2] == "create":
            node.create(w[3], w[4])
        elif w[2] == "save":
            node.save(w[3], w[4], None if w[5] == "-" else w[5])
        elif node.find(w[3]):
            getattr(node, w[2])(node.find(w[3]), *w[4:])
        else:
            bad.append("line %s: no such name" % last)
    return bad


def check(histories, seed, most=8, ahead=0):
    counts, best = {}, {}
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "table.txt")) as f:
        for text in replay(f):
            counts["TABLE"] = counts.get("TABLE", 0) + 1
            best.setdefault("TABLE", ("table.txt " + text, []))
    for s in range(seed, seed + histories):
        h = History(s, 2 + s % 2, most, ahead)
        for kind, text in h.run():
            counts[kind] = counts.get(kind, 0) + 1
            if kind not in best or len(h.log) < len(best[kind][1]): best[kind] = (text, h.log)
    return counts, best


def report(best):
    for kind, (text, log) in sorted(best.items()):
        print("  %s %s\n    %s" % (kind, text, "\n    ".join(log)))


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    first = int(words[0]) if words else 20000
    second = int(words[1]) if len(words) > 1 else 1
    if "--trace" in sys.argv:
        for s in range(first, first + second):
            h = History(s, 2 + s % 2); h.run()
            print("# seed %d\n%s" % (s, "\n".join(h.trace)))
        return 0
    if "--replay" in sys.argv:
        bad = replay(sys.stdin)
        print("\n".join(bad) or "as written")
        return 1 if bad else 0
    most, ahead = 14 if "--long" in sys.argv else 8, 1000 if "--ahead" in sys.argv else 0
    counts, best = check(first, second, most, ahead)
    print("all rules on: %d histories, violations: %s" % (first, counts or "none"))
    report(best)
    if not counts and most == 8 and not ahead:
        counts, best = check(max(1, first // 4), second, most, 1000)
        print("with a clock far ahead %s" % (counts or "none"))
        report(best)
    off = ["later"] if ahead else [rule for rule in RULES if rule != "later"]
    for rule in off if not counts and most == 8 else ():
        ON[rule] = False
        counts_off, best = check(first if ahead else max(1, first // 4), second, most, ahead)
        ON[rule] = True
        print("without %-13s %s" % (rule, counts_off or "NO VIOLATION FOUND"))
        if "--show" in sys.argv and best:
            report(dict([min(best.items(), key=lambda b: len(b[1][1]))]))
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
