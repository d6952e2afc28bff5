"""Compares lakes with the dumps of their sources, and looks into every snapshot.

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
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testdata" / "compare"))
import lake as lakes  # noqa: E402

POSITION = "tablehaul.position"
SHOWN = 5  # findings of one kind
WORKERS = os.cpu_count() or 2


class Check:
    def __init__(self, question):
        self.q = question
        self.lake = lakes.Rest(question["rest"]) if "rest" in question else lakes.Folder(question["folder"])
        self.db = self.lake.db
        self.space = question["namespace"]
        self.lost = self.doubled = self.torn = self.snapshots = self.pairs = self.orphans = 0
        self.findings = []

    def answer(self):
        start = time.monotonic()
        there = self.lake.tables(self.space)
        for table in self.q["tables"]:
            if table["name"] not in there:
                rows = self.source_rows(table)
                self.lost += max(rows, 1)
                self.findings.append(f"{table['name']}: not in the lake; the source has {rows} rows")
                continue
            self.compare(table)
        commits = 0
        if {"accounts", "ledger"} <= there:
            accounts, ledger = self.history("accounts", "balance", "version"), self.history("ledger", "amount", "delta")
            commits = len(accounts)
            self.sums("accounts", accounts, self.q["total"])
            self.sums("ledger", ledger, 0)
            self.agree(accounts, ledger)
        return {
            "lost": self.lost, "doubled": self.doubled, "torn": self.torn, "snapshots": self.snapshots,
            "commits": commits, "pairs": self.pairs, "orphans": self.orphans, "findings": self.findings,
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

    def compare(self, table):
        name, relation = table["name"], self.lake.relation(self.space, table["name"])
        self.db.execute(
            f"CREATE OR REPLACE TEMP TABLE difference AS SELECT * EXCLUDE (times), sum(times) AS times FROM ("
            f" SELECT *, 1 AS times FROM {self.source(table)} UNION ALL BY NAME"
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

    def count(self, query):
        return int(self.db.execute(query).fetchone()[0] or 0)

    # --- snapshots ------------------------------------------------------------

    def history(self, name, amount, version):
        """What every snapshot of a table shows: its position, its two sums, and
        whether a key is there more than once."""
        table = next(t for t in self.q["tables"] if t["name"] == name)
        metadata, file = self.metadata(name)
        self.orphans += self.files(name, metadata)
        key = table["key"][0]

        def look(snapshot):
            relation = f"iceberg_scan({lakes.literal(file)}, snapshot_from_id = {snapshot['snapshot-id']})"
            seen = {"id": snapshot["snapshot-id"], "at": snapshot["timestamp-ms"], "error": None}
            seen["position"] = snapshot.get("summary", {}).get(POSITION)
            if self.changes(table):
                query = (
                    f"SELECT coalesce(sum({amount} * {SIGN}), 0), coalesce(sum({version} * {SIGN}), 0), 0, count(*) FROM {relation}"
                )
            else:
                query = (
                    f"SELECT coalesce(sum({amount}), 0), coalesce(sum({version}), 0), count(*) - count(DISTINCT {key}), count(*) FROM {relation}"
                )
            try:
                seen["amount"], seen["version"], seen["double"], seen["rows"] = map(int, self.db.cursor().execute(query).fetchone())
            except Exception as error:  # a file that is gone, a manifest that is none
                seen["error"] = str(error)
            return seen

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            seen = list(pool.map(look, metadata.get("snapshots", [])))
        self.snapshots += len(seen)
        return seen

    def metadata(self, name):
        if isinstance(self.lake, lakes.Folder):
            path = self.lake.path(self.space, name)
            return json.loads(path.read_bytes()), str(path)
        part = lakes.part
        answer = self.lake.get(f"{self.lake.prefix}namespaces/{part(self.space)}/tables/{part(name)}")
        return answer["metadata"], local(answer["metadata-location"])

    def sums(self, name, history, want):
        shown = 0
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
                self.torn += 1
                shown += 1
                if shown <= SHOWN:
                    self.findings.append(
                        f"{name}: snapshot {seen['id']} of {seen['at']} at {seen['position']}: {'; '.join(wrong)}"
                    )

    def agree(self, accounts, ledger):
        """Two tables at one position show the same transactions."""
        # The position stands in the snapshot's summary. Of several snapshots at
        # one position all must show the same.
        entered = {}
        for seen in ledger:
            if seen["position"] and not seen["error"]:
                entered.setdefault(seen["position"], seen)
        shown = 0
        for seen in accounts:
            other = entered.get(seen["position"])
            if other is None or seen["error"]:
                continue
            self.pairs += 1
            if seen["version"] != other["version"]:
                self.torn += 1
                shown += 1
                if shown <= SHOWN:
                    self.findings.append(
                        f"accounts {seen['id']} and ledger {other['id']} at {seen['position']}: "
                        f"versions {seen['version']}, entered {other['version']}"
                    )

    def files(self, name, metadata):
        """Counts the data files of a table's folder that no snapshot names."""
        try:
            lists = [local(s["manifest-list"]) for s in metadata.get("snapshots", [])]
            named = set()
            if lists:
                manifests = self.db.execute("SELECT DISTINCT manifest_path FROM read_avro(?)", [lists]).fetchall()
                for (path,) in manifests:
                    rows = self.db.execute("SELECT data_file.file_path FROM read_avro(?)", [local(path)]).fetchall()
                    named.update(pathlib.Path(local(row[0])).name for row in rows)
            folder = pathlib.Path(local(metadata["location"])) / "data"
            return sum(1 for f in folder.rglob("*") if f.is_file() and f.suffix == ".parquet" and f.name not in named)
        except Exception as error:  # told by the look into the snapshots
            self.findings.append(f"{name}: its files cannot be listed: {str(error)[:200]}")
            return 0


SIGN = "CASE WHEN _op IN ('r', 'c', 'u') THEN 1 WHEN _op IN ('b', 'd') THEN -1 ELSE 0 END"


def local(location):
    if not location.startswith("file:"):
        return location
    plain = location.removeprefix("file:")
    if plain.startswith("//"):
        plain = plain.removeprefix("//")
    return plain if os.path.exists(plain) else urllib.parse.unquote(plain)


def main():
    for line in sys.stdin:
        try:
            answer = Check(json.loads(line)).answer()
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
