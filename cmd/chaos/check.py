"""Compares lakes with the dumps of their sources, and looks into every snapshot, or, of
plain files, into what they were whenever they were looked at.

Reads questions from standard input and writes answers to standard output, one
JSON object a line; check.go describes both. All rows of the lake come through
DuckDB; of Tablehaul's own code none is used.
"""

import concurrent.futures
import json
import os
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testdata" / "compare"))
import lake as lakes  # noqa: E402

import files  # noqa: E402
import plain  # noqa: E402

POSITION = "tablehaul.position"
FOREIGN = "chaos"  # in the summary of a snapshot that foreign.go has made
TOGETHER = "POST /v1/{prefix}/transactions/commit"
MANY = 3  # so many commits of two tables have positions in common
SHOWN = 5  # findings of one kind
WORKERS = os.cpu_count() or 2


class Check:
    def __init__(self, question):
        self.q = question
        if "plain" in question:
            self.lake = plain.Lake(question["plain"])
        elif "rest" in question:
            self.lake = lakes.Rest(question["rest"])
        elif "s3" in question:
            self.lake = files.Store(question["folder"], question["s3"])
        else:
            self.lake = lakes.Folder(question["folder"])
        self.db = self.lake.db
        self.space = question["namespace"]
        self.lost = self.doubled = self.torn = self.snapshots = self.pairs = self.orphans = self.held = self.dropped = 0
        self.together = question.get("together", False)
        if "rest" in question and not question.get("alone"):
            self.together = TOGETHER in self.lake.get("config").get("endpoints", [])
        self.plain = isinstance(self.lake, plain.Lake)
        self.looked = {}
        self.findings = []
        self.shown = {}

    def answer(self):
        start = time.monotonic()
        there = self.lake.tables(self.space)
        homes = []
        for table in self.q["tables"]:
            if table["name"] not in there:
                rows = self.source_rows(table)
                self.lost += max(rows, 1)
                self.findings.append(f"{table['name']}: not in the lake; the source has {rows} rows")
                continue
            metadata, file = self.metadata(table["name"])
            if self.current(table["name"], metadata):
                self.compare(table, metadata, self.lake.relation(self.space, table["name"]))
                if self.plain:
                    self.compare(table, metadata, self.lake.listed(self.space, table["name"]), " as it is listed")
            self.placed(table["name"], metadata)
            if self.plain:
                self.left(table["name"])
                continue
            self.files(table["name"], metadata, file)
            homes.append(files.local(metadata["location"]))
            self.dropped += len(self.missing(table["name"], metadata))
        if self.q.get("all") and not self.plain:
            self.stray(homes)
        if "since" in self.q or "adds" in self.q:  # looked at again, or not at all
            return self.verdict(start, 0)
        if self.q.get("alone"):
            self.doubles(there)
        if self.q.get("apart"):
            return self.verdict(start, self.keys(there))
        commits = 0
        if {"accounts", "ledger"} <= there:
            accounts, ledger = self.history("accounts", "balance", "version"), self.history("ledger", "amount", "delta")
            commits = len(accounts)
            self.sums("accounts", accounts, self.q["total"])
            self.sums("ledger", ledger, 0)
            self.agree(accounts, ledger)
            if self.together:
                self.partners("accounts", accounts, ledger)
                self.partners("ledger", ledger, accounts)
        return self.verdict(start, commits)

    def verdict(self, start, commits):
        return {
            "lost": self.lost, "doubled": self.doubled, "torn": self.torn, "snapshots": self.snapshots,
            "commits": commits, "pairs": self.pairs, "orphans": self.orphans, "held": self.held, "dropped": self.dropped, "findings": self.findings,
            "seconds": round(time.monotonic() - start, 2),
        }  # fmt: skip

    # --- rows ---------------------------------------------------------------

    def source(self, table):
        columns = ", ".join(f"{lakes.literal(c)}: 'VARCHAR'" for c in table["columns"])
        file = lakes.literal(str(pathlib.Path(self.q["source"]) / f"{table['name']}.csv"))
        return (
            f"read_csv({file}, columns = {{{columns}}}, header = false, delim = ',', quote = '\"', escape = '\"',"
            f" nullstr = '\\N', allow_quoted_nulls = false, auto_detect = false, max_line_size = 1000000)"
        )

    def source_rows(self, table):
        return self.db.execute(f"SELECT count(*) FROM {self.source(table)}").fetchone()[0]

    def changes(self, table):
        return table["name"] in self.q["changelog"]

    def state(self, relation, table):
        """The rows of a table in the lake, each with how many times it is there."""
        columns = ", ".join(f"CAST({lakes.quoted(c)} AS VARCHAR) AS {lakes.quoted(c)}" for c in table["columns"])
        if not self.changes(table):
            return f"SELECT {columns}, 1 AS times FROM {relation}"
        return (
            f"SELECT {columns}, {SIGN} AS times FROM {relation} WHERE _op <> 't' AND (_pos > (SELECT max(_pos) FROM {relation} WHERE _op = 't')"
            f" OR NOT EXISTS (FROM {relation} WHERE _op = 't'))"
        )

    def current(self, name, metadata):
        """Whether the table has to hold what the source does."""
        if name in self.q.get("still", []):
            return False
        if "since" not in self.q:
            return True
        at = {s["snapshot-id"]: s["timestamp-ms"] for s in metadata.get("snapshots", [])}
        return at.get(metadata.get("current-snapshot-id"), 0) >= self.q["since"]

    def compare(self, table, metadata, relation, how=""):
        name = table["name"] + how
        self.db.execute(
            f"CREATE OR REPLACE TEMP TABLE difference AS SELECT * EXCLUDE (times), sum(times) AS times FROM ("
            f" SELECT *, {self.commits(metadata) if self.q.get('adds') else 1} AS times FROM {self.source(table)} UNION ALL BY NAME"
            f" SELECT * EXCLUDE (times), -times AS times FROM ({self.state(relation, table)})) GROUP BY ALL HAVING sum(times) <> 0"
        )
        # A row that an update did not reach is missing as it should be and there
        # as it was: that is one loss, not a row too many as well.
        keys = ", ".join(lakes.quoted(c) for c in table["key"] or [])
        stale = f"AND ({keys}) NOT IN (SELECT ({keys}) FROM difference WHERE times > 0)" if keys else ""
        lost = self.count("SELECT sum(times) FROM difference WHERE times > 0")
        doubled = self.count(f"SELECT -sum(times) FROM difference WHERE times < 0 {stale}")
        if self.changes(table):
            # Each change has a place of its own in the log.
            doubled += self.count(
                f"SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM {relation} WHERE _pos IS NOT NULL GROUP BY _pos, _op HAVING count(*) > 1)"
            )
        self.lost, self.doubled = self.lost + lost, self.doubled + doubled
        if lost or doubled:
            rows = self.db.execute(f"SELECT * FROM difference ORDER BY ALL LIMIT {SHOWN}").fetchall()
            self.findings.append(f"{name}: {lost} lost, {doubled} doubled; source minus lake: {rows}")

    def commits(self, metadata):
        return metadata["current-snapshot-id"] if self.plain else len(metadata["snapshots"])

    def count(self, query):
        return int(self.db.execute(query).fetchone()[0] or 0)

    # --- snapshots ------------------------------------------------------------

    def doubles(self, there):
        """No snapshot of the larger tables has a key twice, and slips always come to nothing."""
        for table in self.q["tables"]:
            if table["name"] in there & {"orders", "lines", "names", "slips"}:
                amount = "v" if table["name"] == "slips" else "0"
                self.sums(table["name"], self.history(table["name"], amount, "0"), 0)

    def keys(self, there):
        """No snapshot has a key twice, and all can be read. Returns the snapshots of accounts."""
        commits = 0
        for table in self.q["tables"]:
            if table["name"] in there:
                history = self.history(table["name"], "0", "0")
                self.sums(table["name"], history, 0)
                commits += len(history) if table["name"] == "accounts" else 0
        return commits

    def expressions(self, name, amount, version):
        """The sums of a table's rows, how many keys are there again, and how many rows."""
        table = next(t for t in self.q["tables"] if t["name"] == name)
        key = ", ".join(lakes.quoted(c) for c in table["key"] or [])
        double = f"count(*) - count(DISTINCT ({key}))" if key else "0"
        if self.changes(table):
            amount, version, double = f"{amount} * {SIGN}", f"{version} * {SIGN}", "0"
        return f"coalesce(sum({amount}), 0), coalesce(sum({version}), 0), {double}, count(*)"

    def history(self, name, amount, version):
        """What every snapshot of a table shows: its position, its two sums, and
        whether a key is there more than once."""
        metadata, file = self.metadata(name)
        if self.plain:
            self.snapshots += len(metadata["looks"])
            return metadata["looks"]

        expressions = self.expressions(name, amount, version)

        def look(snapshot):
            relation = f"iceberg_scan({lakes.literal(file)}, snapshot_from_id = {snapshot['snapshot-id']})"
            seen = {"id": snapshot["snapshot-id"], "at": snapshot["timestamp-ms"], "error": None}
            seen["position"] = snapshot.get("summary", {}).get(POSITION)
            seen["place"] = place(seen["position"], f"{self.space}.{name}")
            try:
                row = self.db.cursor().execute(f"SELECT {expressions} FROM {relation}").fetchone()
                seen["amount"], seen["version"], seen["double"], seen["rows"] = map(int, row)
            except Exception as error:  # a file that is gone, a manifest that is none
                seen["error"] = str(error)
            return seen

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            seen = list(pool.map(look, metadata.get("snapshots", [])))
        self.snapshots += len(seen)
        return seen

    def metadata(self, name):
        if self.plain:
            return self.looks(name), None
        if isinstance(self.lake, files.Store):
            return self.lake.metadata(self.space, name), self.lake.path(self.space, name)
        if isinstance(self.lake, lakes.Folder):
            path = self.lake.path(self.space, name)
            return json.loads(path.read_bytes()), str(path)
        part = lakes.part
        answer = self.lake.get(f"{self.lake.prefix}namespaces/{part(self.space)}/tables/{part(name)}")
        return answer["metadata"], files.local(answer["metadata-location"])

    def amounts(self, name):
        """What is summed of a table, unless changes of a transaction appear one by one."""
        return ("0", "0") if self.q.get("apart") else AMOUNTS.get(name, ("0", "0"))

    def look(self, name):
        """What a table in plain files shows at this moment, or None."""
        seen = self.lake.look(self.space, name, self.expressions(name, *self.amounts(name)))
        if seen:
            seen["place"] = place(seen["position"], f"{self.space}.{name}")
        return seen

    def looks(self, name):
        """What a table in plain files was when it was looked at, and is now, as an Iceberg
        table's metadata would have it."""
        if name not in self.looked:
            looks, before = [], None
            for seen in (self.q["plain"].get("looks") or {}).get(name, []) + [self.look(name)]:
                if seen["error"]:
                    self.fault(f"read {name}", f"{name}: as of commit {seen['id']} it cannot be read: {seen['error'][:300]}")
                elif seen["id"] != before:
                    looks.append(seen)
                    before = seen["id"]
            self.looked[name] = looks
        looks = self.looked[name]
        snapshots = [{"snapshot-id": s["id"], "timestamp-ms": s["at"], "summary": {POSITION: s["position"]}} for s in looks]
        return {"snapshots": snapshots, "current-snapshot-id": looks[-1]["id"] if looks else 0, "looks": looks}

    def left(self, name):
        """Counts the files that are left of what has ended."""
        found, held = self.lake.left(self.space, name)
        self.held += held
        self.orphans += len(found)
        if found:
            self.findings.append(f"{name}: {len(found)} files are left over: {', '.join(found[:SHOWN])}")

    def fault(self, kind, text):
        """Tells the first few of a kind."""
        self.torn += 1
        self.shown[kind] = self.shown.get(kind, 0) + 1
        if self.shown[kind] <= SHOWN:
            self.findings.append(text)

    def missing(self, name, metadata):
        """The snapshots of a table that the catalog has confirmed and has not.

        Iceberg's RESTCatalogAdapter checks a transaction's requirements, then has
        each table committed. If one has moved on meanwhile, BaseTransaction starts
        again from what it is now, without the changes, finds nothing to commit, and
        calls it well. Tablehaul finds out with its next commit, whose fence does
        not find the one that it follows: nothing is lost. But what the snapshot
        named is left over, and other tables of the transaction have theirs."""
        there = {s["snapshot-id"] for s in metadata.get("snapshots", [])}
        return [c for c in self.q.get("confirmed") or [] if c["table"] == name and c["id"] not in there]

    def placed(self, name, metadata):
        """Each snapshot has a position, and holds all that the one before did."""
        before = None
        for snapshot in metadata.get("snapshots", []):
            summary = snapshot.get("summary", {})
            if FOREIGN in summary:
                continue
            position = summary.get(POSITION)
            if not position:
                self.fault(f"unplaced {name}", f"{name}: snapshot {snapshot['snapshot-id']} has no position")
                continue
            now = transactions(place(position, f"{self.space}.{name}"))
            if now is not None and before is not None and not holds(now, before):
                self.fault(f"order {name}", f"{name}: snapshot {snapshot['snapshot-id']} at {position} is not behind the one before it")
            before = now if now is not None else before

    def sums(self, name, history, want):
        before = None
        for seen in history:
            wrong = []
            if seen["error"]:
                wrong.append(f"cannot be read: {seen['error'][:300]}")
            else:
                if seen["amount"] != want:
                    wrong.append(f"the sum is {seen['amount']}, want {want}")
                if seen["double"]:
                    wrong.append(f"{seen['double']} keys are there twice")
                if before is not None and seen["version"] < before:
                    wrong.append(f"its versions sum to {seen['version']}, those of the snapshot before to {before}")
                before = seen["version"]
            if wrong:
                self.fault(f"sums {name}", f"{name}: snapshot {seen['id']} of {seen['at']} at {seen['position']}: {'; '.join(wrong)}")

    def agree(self, accounts, ledger):
        """Snapshots at one position show the same transactions, of one table as
        of two. That is all that is promised where tables are committed one by
        one: a run that dies between leaves one table ahead of the other."""
        at = {}
        for name, history in (("accounts", accounts), ("ledger", ledger)):
            for seen in history:
                if seen["place"] and not seen["error"]:
                    at.setdefault(seen["place"], []).append((name, seen))
        for where, group in at.items():
            self.pairs += len({name for name, _ in group}) > 1
            if len({seen["version"] for _, seen in group}) > 1:
                shown = ", ".join(f"{name} {seen['id']} {seen['version']}" for name, seen in group)
                self.fault("agree", f"apart at {where}: the versions of {shown}")
        # The last run has brought both to where the log ended. What is prepared there and not
        # decided is left out by a table that has been followed, and not by one just copied.
        last = [next((s["place"] for s in reversed(h) if s["place"]), None) for h in (accounts, ledger)]
        apart = None not in last and last[0] != last[1]
        prepared = apart and undecided(*map(transactions, last))
        if apart and not prepared:
            self.fault("last", f"accounts end at {last[0]}, ledger at {last[1]}")
        if self.pairs == 0 and not prepared and min(len(accounts), len(ledger)) >= MANY:
            self.fault("pairs", f"{len(accounts)} snapshots of accounts and {len(ledger)} of ledger have no position in common")

    def partners(self, name, history, other):
        """Where tables are committed in one step, every transaction that changed
        the versions of one table has entered them in the other, and appears in
        both at once: a snapshot with more than the one before has a partner at
        its position. Not so the stock, which each table is published with for
        itself: until the log has come to where the other's was taken, the other
        has nothing to commit."""
        theirs = [seen for seen in other if seen["place"] and not seen["error"]]
        if not theirs:
            return
        partner = "ledger" if name == "accounts" else "accounts"
        stock, places = theirs[0]["version"], {seen["place"] for seen in theirs}
        places.update(place(c["position"], f"{self.space}.{partner}") for c in self.missing(partner, self.metadata(partner)[0]))
        before = None
        for seen in history:
            if seen["error"]:
                continue
            if seen["place"] and before is not None and seen["version"] > max(before, stock) and seen["place"] not in places:
                self.fault("partners", f"{name}: snapshot {seen['id']} at {seen['position']} appeared without its partner")
            before = seen["version"]

    def stray(self, homes):
        """Counts the files that are in no table's folder: the runs have one lake each, or
        a namespace in a common one."""
        root = self.q.get("root") or self.q.get("folder") or os.path.commonpath(homes)
        found = files.strays(self.lake.db, root, homes)
        self.orphans += len(found)
        if found:
            self.findings.append(f"{len(found)} files are in no table's folder: {', '.join(sorted(found)[:SHOWN])}")

    def files(self, name, metadata, file):
        """Counts the files that no snapshot names."""
        try:
            # Where the answer was lost, the program has seen that the snapshot is not
            # there, and has removed its lists.
            gone = [c["list"] for c in self.missing(name, metadata)]
            gone = [path for path in gone if os.path.exists(files.local(path))]
            orphans, held = files.left_over(self.lake.db, metadata, file, gone, self.q.get("late"), self.q.get("all"))
        except Exception as error:
            self.findings.append(f"{name}: its files cannot be listed: {str(error)[:200]}")
            return
        self.held += held
        self.orphans += len(orphans)
        if orphans:
            self.findings.append(f"{name}: {len(orphans)} files are left over: {', '.join(sorted(orphans)[:SHOWN])}")


def place(position, table):
    """What a table holds at a position: a set of transactions, or the position
    itself where it is no JSON. None if the position does not tell: an early one
    lies before what the rows show."""
    if not position or not position.startswith("{"):
        return position or None
    p = json.loads(position)
    ahead = p.get("ahead", {}).get(table)
    if ahead:
        p = ahead
    if p.get("early") or p.get("after"):
        return None
    return p.get("gtid") or f"{p.get('file')}:{p.get('pos')}"


def transactions(gtids):
    """A GTID set as UUID: list of first and last numbers; None if it is none. One in topics
    is the messages of each partition that have been read."""
    sets = {}
    if (gtids or "").startswith("kafka:"):
        for topic in gtids.split(";")[1:]:
            name, _, parts = topic.partition(":")
            for number, _, offset in (p.partition("=") for p in parts.split(",")):
                sets[f"{name}/{number}"] = [(-1, int(offset) - 1)]
        return sets
    try:
        for part in (gtids or "").replace("\n", "").split(","):
            uuid, *ranges = part.strip().split(":")
            for r in ranges:
                first, _, last = r.partition("-")
                sets.setdefault(uuid, []).append((int(first), int(last or first)))
    except ValueError:
        return None
    return sets or None


def holds(whole, part):
    return all(any(a <= first and last <= b for a, b in whole.get(uuid, [])) for uuid, ranges in part.items() for first, last in ranges)


def undecided(a, b):
    """Whether sets of transactions differ only by some within: those that are prepared."""
    if not a or not b or not (holds(a, b) or holds(b, a)):
        return False
    ends = [{uuid: max(last for _, last in ranges) for uuid, ranges in s.items()} for s in (a, b)]
    return ends[0] == ends[1]


# What is summed of the tables that keep a sum.
AMOUNTS = {"accounts": ("balance", "version"), "ledger": ("amount", "delta"), "slips": ("v", "0")}
SIGN = "CASE WHEN _op IN ('r', 'c', 'u') THEN 1 WHEN _op IN ('b', 'd') THEN -1 ELSE 0 END"


def main():
    watched = {}
    for line in sys.stdin:
        try:
            question = json.loads(line)
            if "look" in question:
                root = question["plain"]["root"]
                if root not in watched:
                    watched = {root: Check(question)}
                answer = {"look": watched[root].look(question["look"])}
            else:
                answer = Check(question).answer()
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
