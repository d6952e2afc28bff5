"""The comparison of two multisets of rows, and the description of a difference."""

import collections
import dataclasses

# Rows without a counterpart that are held against each other to find out which
# of them is the same row changed.
MAX_PAIRING = 200
MAX_SHOWN = 120  # characters of a value


@dataclasses.dataclass
class Difference:
    """One row that differs: changed, missing in the lake, or extra in it."""

    kind: str
    row: dict  # the key, or the whole row where there is none
    values: dict  # of a changed row: column → (source value, lake value)
    times: int = 1

    def __str__(self):
        where = ", ".join(f"{name}={show(value)}" for name, value in self.row.items())
        times = f" ({self.times} times)" if self.times > 1 else ""
        if self.kind == "changed":
            values = "; ".join(f"column {c}: source {show(s)}, lake {show(t)}" for c, (s, t) in self.values.items())
            return f"row {where}{times}: {values}"
        return f"row {self.kind} in the lake{times}: {where}"


@dataclasses.dataclass
class Result:
    """How two sides compare: how many rows each has, and what differs."""

    source: int = 0
    lake: int = 0
    missing: int = 0
    extra: int = 0
    changed: int = 0
    differences: list = dataclasses.field(default_factory=list)

    @property
    def equal(self):
        return not (self.missing or self.extra or self.changed)


def compare(source, lake, columns, key, limit):
    """Compares two iterables of tuples as multisets. Of the differences, at most
    limit are described; the counts are of all."""
    left = collections.Counter(source)
    result = Result(source=left.total())
    extra = collections.Counter()
    for row in lake:
        result.lake += 1
        n = left.get(row)
        if n is None:
            extra[row] += 1
        elif n == 1:
            del left[row]
        else:
            left[row] = n - 1
    pairs = pair(left, extra, columns, key)
    describe(result, pairs, left, extra, columns, key, limit)
    return result


def pair(missing, extra, columns, key):
    """Finds rows that are on both sides, but changed, and takes them out of the
    two. Returns triples of source row, lake row and how often."""
    if key and all(name in columns for name in key):
        candidates = by_key(missing, extra, [columns.index(name) for name in key])
    else:
        candidates = by_likeness(missing, extra)
    pairs = []
    for s, t in candidates:
        n = min(missing[s], extra[t])
        if n:
            pairs.append((s, t, n))
            missing[s] -= n
            extra[t] -= n
    return pairs


def by_key(missing, extra, places):
    lake = {}
    for row in extra:
        lake.setdefault(tuple(row[i] for i in places), []).append(row)
    for row in list(missing):
        for other in lake.get(tuple(row[i] for i in places), []):
            yield row, other


def by_likeness(missing, extra):
    """Pairs the rows that have most columns in common, and at least half."""
    some, others = list(missing)[:MAX_PAIRING], list(extra)[:MAX_PAIRING]
    scored = [
        (sum(a == b for a, b in zip(row, other)), i, j) for i, row in enumerate(some) for j, other in enumerate(others)
    ]
    for score, i, j in sorted(scored, key=lambda s: -s[0]):
        if score and 2 * score >= len(some[i]):
            yield some[i], others[j]


def describe(result, pairs, missing, extra, columns, key, limit):
    found = result.differences
    for s, t, n in pairs:
        result.changed += n
        if len(found) < limit:
            values = {c: (a, b) for c, a, b in zip(columns, s, t) if a != b}
            found.append(Difference("changed", identity(s, columns, key, values), values, n))
    for kind, side in (("missing", missing), ("extra", extra)):
        for row, n in side.items():
            if not n:
                continue
            setattr(result, kind, getattr(result, kind) + n)
            if len(found) < limit:
                found.append(Difference(kind, identity(row, columns, key), {}, n))


def identity(row, columns, key, changed=()):
    """What tells a row: its key, or else its values, without the changed ones."""
    values = dict(zip(columns, row))
    if key and all(name in values for name in key):
        return {name: values[name] for name in key}
    return {name: value for name, value in values.items() if name not in changed}


def show(value):
    if isinstance(value, bytes):
        text = "x'" + value[:MAX_SHOWN].hex() + "'"
        size = len(value)
        return text if size <= MAX_SHOWN else f"{text}… ({size} bytes)"
    text = repr(value) if value is not None else "NULL"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(value)} characters)"
