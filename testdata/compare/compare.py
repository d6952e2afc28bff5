#!/usr/bin/env python3
"""Compares tables in a lake with the MySQL or MariaDB tables they were made of.

    compare.py --source mysql://root@127.0.0.1:3306 --lake DIR --databases shop,crm
    compare.py --source mysql://root@127.0.0.1:3306 --catalog-rest URL [--s3-endpoint URL] --databases shop

Every base table of the databases must be there, with its columns, types,
nullability, comments and key, and with exactly its rows in any order; nothing
else may be in those namespaces. The program shares no code with Tablehaul: it
reads the source with PyMySQL and the lake with DuckDB.

For S3 the keys are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION.
It needs: duckdb, duckdb-extension-{avro,httpfs,iceberg} of one version, PyMySQL.

Exit codes: 0 equal, 1 an error, 2 usage, 4 differs.

With --json it prints one object instead of lines:
  {"equal": bool, "tables": [{"table": "db.name", "status": "equal" | "differs" | "error",
    "source_rows": n, "lake_rows": n, "missing": n, "extra": n, "changed": n, "seconds": x,
    "schema": [text…], "differences": [text…], "error": text or null}…]}
"""

import argparse
import dataclasses
import json
import sys
import time

import duckdb
import pymysql

import lake as lakes
import rows
import schemas
import source as sources

EQUAL, ERROR, DIFFERS = 0, 1, 4
EXPECTED = (OSError, RuntimeError, ValueError, duckdb.Error, pymysql.Error)


@dataclasses.dataclass
class Report:
    """The outcome for one table. What stands in schema or error needs no rows."""

    table: str
    schema: list = dataclasses.field(default_factory=list)
    result: rows.Result = dataclasses.field(default_factory=rows.Result)
    error: str = None
    seconds: float = 0.0

    @property
    def status(self):
        if self.error:
            return "error"
        return "differs" if self.schema or not self.result.equal else "equal"

    def lines(self):
        r = self.result
        if self.status == "equal":
            return [f"equal    {self.table}: {r.source} rows, {self.seconds:.1f} s"]
        if self.status == "error":
            return [f"ERROR    {self.table}: {self.error}"]
        head = (
            f"DIFFERS  {self.table}: {r.source} rows in the source, {r.lake} in the lake; "
            f"{r.changed} changed, {r.missing} missing, {r.extra} extra, {len(self.schema)} in the schema"
        )
        shown = [f"    schema: {line}" for line in self.schema] + [f"    {d}" for d in r.differences]
        hidden = r.changed + r.missing + r.extra - sum(d.times for d in r.differences)
        return [head, *shown] + ([f"    … and {hidden} rows more"] if hidden else [])

    def as_dict(self):
        r = self.result
        return {
            "table": self.table,
            "status": self.status,
            "source_rows": r.source,
            "lake_rows": r.lake,
            "missing": r.missing,
            "extra": r.extra,
            "changed": r.changed,
            "seconds": round(self.seconds, 3),
            "schema": self.schema,
            "differences": [str(d) for d in r.differences],
            "error": self.error,
        }


def compare_table(source, lake, table, place, options):
    """Compares one table that both sides have; place is its namespace and name
    in the lake."""
    report = Report(str(table))
    start = time.monotonic()
    try:
        schema = schemas.current_schema(lake.metadata(*place))
        report.schema = schemas.check(table, schema, options)
        # Columns that only one side has are the schema's matter.
        fields = {f["name"]: f for f in schema["fields"]}
        common = [c for c in table.columns if c.name in fields]
        report.result = rows.compare(
            source.rows(table, common, options.zero_date),
            lakes.rows(lake, *place, [fields[c.name] for c in common]),
            [c.name for c in common],
            table.key,
            options.limit,
        )
    except EXPECTED as error:
        report.error = f"{type(error).__name__}: {error}"
    report.seconds = time.monotonic() - start
    return report


def compare_database(source, lake, database, options):
    """Yields a report for each table that either side has."""
    tables = source.tables(database)
    if tables is None:
        yield Report(database, error="the source has no such database")
        return
    namespace = lakes.landing_name(database, lake.special)
    there = lake.tables(namespace)
    for name, table in sorted(tables.items()):
        place = namespace, lakes.landing_name(name, lake.special)
        if place[1] in there:
            there.remove(place[1])
            yield compare_table(source, lake, table, place, options)
        else:
            yield Report(str(table), schema=["the lake has no such table"])
    for name in sorted(there):
        yield Report(f"{namespace}.{name}", schema=["the source has no such base table"])


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="mysql://user[:password]@host:port")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--lake", help="folder with a catalog.db")
    where.add_argument("--catalog-rest", metavar="URL", help="Iceberg REST catalog")
    parser.add_argument("--s3-endpoint", metavar="URL", help="where the files of the REST catalog are")
    parser.add_argument("--databases", required=True, help="names, separated by commas")
    parser.add_argument(
        "--zero-date", choices=("null", "epoch"), default="null", help="what dates of no calendar have become"
    )
    parser.add_argument(
        "--through-topic", action="store_true", help="messages tell no comments, and nothing of what may be NULL but the key"
    )
    parser.add_argument("--limit", type=int, default=10, help="differing rows to show of a table (default 10)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(argv)


def run(options, out):
    """Compares all databases, prints to out, and returns the exit code."""
    source = sources.Source(options.source)
    lake = lakes.Folder(options.lake) if options.lake else lakes.Rest(options.catalog_rest, options.s3_endpoint)
    reports = []
    for database in options.databases.split(","):
        for report in compare_database(source, lake, database, options):
            reports.append(report)
            if not options.json:
                print(*report.lines(), sep="\n", file=out, flush=True)
    count = {s: sum(r.status == s for r in reports) for s in ("equal", "differs", "error")}
    if options.json:
        done = {"equal": count["equal"] == len(reports), "tables": [r.as_dict() for r in reports]}
        json.dump(done, out, indent=1, ensure_ascii=False)
        print(file=out)
    else:
        print(f"{count['equal']} tables equal, {count['differs']} differ, {count['error']} errors", file=out)
    return ERROR if count["error"] else DIFFERS if count["differs"] else EQUAL


def main(argv):
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    try:
        return run(parse(argv), sys.stdout)
    except EXPECTED as error:
        print(f"compare.py: {type(error).__name__}: {error}", file=sys.stderr)
        return ERROR


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
