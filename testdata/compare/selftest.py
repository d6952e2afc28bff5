#!/usr/bin/env python3
"""Tests compare.py: it must pass a true copy and find each fault of a false one.

    selftest.py [--source mysql://root@127.0.0.1:3306]

The source is a MySQL server, by default that of TABLEHAUL_TEST_MYSQL; the
database compare_selftest is made on it and dropped. The lakes are written with
PyIceberg, from values written down here.
"""

import argparse
import contextlib
import datetime
import decimal
import io
import math
import os
import pathlib
import sys
import tempfile
import types

import pyarrow
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

import compare
import source as sources

DATABASE = "compare_selftest"
SETUP = """
DROP DATABASE IF EXISTS compare_selftest;
CREATE DATABASE compare_selftest DEFAULT CHARSET utf8mb4;
CREATE TABLE compare_selftest.keyed (
 id INT PRIMARY KEY COMMENT 'the key', f FLOAT, d DOUBLE, u BIGINT UNSIGNED, s VARCHAR(20),
 day DATE NOT NULL, at TIMESTAMP(6) NULL, b VARBINARY(4), t TIME(6), v VECTOR(2)
);
INSERT INTO compare_selftest.keyed VALUES
 (1, 16777216, -0e0, 18446744073709551615, 'a ',
  '2020-02-29', '2001-09-09 01:46:40.000001', x'00ff', '-00:00:00.000001', TO_VECTOR('[0.1,-0]')),
 (2, 0.1, 0.1, NULL, '', '0000-00-00', NULL, '', '838:59:59', NULL),
 (3, 1e-45, 5e-324, 0, '🚀', '0001-01-01', '1970-01-01 00:00:01', NULL, NULL, NULL);
CREATE TABLE compare_selftest.keyless (v INT, s VARCHAR(5));
INSERT INTO compare_selftest.keyless VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL);
CREATE VIEW compare_selftest.a_view AS SELECT 1
"""
UTC = datetime.timezone.utc


def true_copy():
    """The source's tables as they must land: fields, key and rows of each."""
    fields = [
        ["id", IntegerType(), True, "the key"],
        ["f", FloatType(), False, None],
        ["d", DoubleType(), False, None],
        ["u", DecimalType(20, 0), False, None],
        ["s", StringType(), False, None],
        ["day", DateType(), False, None],
        ["at", TimestamptzType(), False, None],
        ["b", BinaryType(), False, None],
        ["t", LongType(), False, None],
        ["v", ListType(100, FloatType(), True), False, None],
    ]
    days = [datetime.date(2020, 2, 29), None, datetime.date(1, 1, 1)]
    times = [datetime.datetime(2001, 9, 9, 1, 46, 40, 1, UTC), None, datetime.datetime(1970, 1, 1, 0, 0, 1, 0, UTC)]
    longest = ((838 * 60 + 59) * 60 + 59) * 10**6
    rows = [
        [1, 16777216.0, -0.0, decimal.Decimal(2**64 - 1), "a ", days[0], times[0], b"\0\xff", -1, [0.1, -0.0]],
        [2, 0.1, 0.1, None, "", days[1], times[1], b"", longest, None],
        [3, 1.4e-45, 5e-324, decimal.Decimal(0), "🚀", days[2], times[2], None, None, None],
    ]
    keyless = [["v", IntegerType(), False, None], ["s", StringType(), False, None]]
    return {
        "keyed": types.SimpleNamespace(fields=fields, key=["id"], rows=rows),
        "keyless": types.SimpleNamespace(
            fields=keyless, key=[], rows=[[1, "x"], [1, "x"], [1, "x"], [None, None], [None, None]]
        ),
    }


def write(folder, tables):
    catalog = SqlCatalog("selftest", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace(DATABASE)
    for name, t in tables.items():
        fields = [NestedField(i, n, kind, required=r, doc=doc) for i, (n, kind, r, doc) in enumerate(t.fields, 1)]
        ids = [f.field_id for f in fields if f.name in t.key]
        table = catalog.create_table((DATABASE, name), Schema(*fields, identifier_field_ids=ids))
        arrow = schema_to_pyarrow(table.schema(), include_field_ids=False)
        columns = [pyarrow.array([row[i] for row in t.rows], f.type) for i, f in enumerate(arrow)]
        table.append(pyarrow.Table.from_arrays(columns, schema=arrow))


# --- faults: what is done to a true copy, and what the comparer must say ------


def value(row, column, new):
    def alter(tables):
        t = tables["keyed"]
        t.rows[row][[f[0] for f in t.fields].index(column)] = new

    return alter


def rows(table, change):
    return lambda tables: change(tables[table].rows)


def field(name, place, new):
    def alter(tables):
        next(f for f in tables["keyed"].fields if f[0] == name)[place] = new

    return alter


def swap(tables):
    """The columns t and v in the other order, values and all."""
    t = tables["keyed"]
    for row in [t.fields, *t.rows]:
        row[8], row[9] = row[9], row[8]


def change_first(rows):
    rows[0][1] = "y"


def no_key(tables):
    tables["keyed"].key = []


def optional_key(tables):
    no_key(tables)
    field("id", 2, False)(tables)


def another(tables):
    tables["a_view"] = types.SimpleNamespace(fields=[["1", IntegerType(), True, None]], key=[], rows=[[1]])


FAULTS = [
    ("nothing", lambda tables: None, None),
    ("rows in another order", rows("keyed", lambda r: r.reverse()), None),
    ("a float one step off", value(0, "f", 16777218.0), "column f: source '16777216.0', lake '16777218.0'"),
    ("a denormal float lost", value(2, "f", 0.0), "column f"),
    ("a double one step off", value(1, "d", math.nextafter(0.1, 1)), "source '0.1', lake '0.10000000000000002'"),
    ("a negative zero lost", value(0, "d", 0.0), "column d: source '-0.0', lake '0.0'"),
    ("NaN", value(1, "d", math.nan), "column d: source '0.1', lake 'nan'"),
    ("an unsigned value off by one", value(0, "u", decimal.Decimal(2**64 - 2)), "column u"),
    ("a trailing space lost", value(0, "s", "a"), "column s: source 'a ', lake 'a'"),
    ("'' for NULL", value(2, "b", b""), "column b: source NULL, lake x''"),
    ("NULL for ''", value(1, "s", None), "column s: source '', lake NULL"),
    ("a zero date made a date", value(1, "day", datetime.date(1970, 1, 1)), "source NULL, lake '1970-01-01'"),
    ("a microsecond lost", value(0, "at", datetime.datetime(2001, 9, 9, 1, 46, 40, 0, UTC)), "column at"),
    ("a sign lost", value(0, "t", 1), "column t: source '-1', lake '1'"),
    ("a vector's zero without its sign", value(0, "v", [0.1, 0.0]), "column v"),
    ("a row dropped", rows("keyed", lambda r: r.pop()), "row missing in the lake: id='3'"),
    ("a row twice", rows("keyed", lambda r: r.append(r[0])), "row extra in the lake: id='1'"),
    ("a row too many", rows("keyed", lambda r: r.append([9, *r[1][1:]])), "row extra in the lake: id='9'"),
    ("one of equal rows dropped", rows("keyless", lambda r: r.pop(0)), "missing in the lake: v='1', s='x'"),
    ("one of equal rows doubled", rows("keyless", lambda r: r.append([None, None])), "extra in the lake: v=NULL"),
    ("a changed row without a key", rows("keyless", change_first), "row v='1': column s: source 'x', lake 'y'"),
    ("another type", field("id", 1, LongType()), "column id: type is 'long', want 'int'"),
    ("a required field", field("f", 2, True), "column f: nullability is 'required'"),
    ("an optional key", optional_key, "column id: nullability is 'optional'"),
    ("another comment", field("id", 3, "a key"), "column id: doc is 'a key', want 'the key'"),
    ("another name", field("s", 0, "S"), "columns missing: s"),
    ("another order", swap, "column order is id, f, d, u, s, day, at, b, v, t"),
    ("no key", no_key, "identifier fields are [], want ['id']"),
    ("a table missing", lambda tables: tables.pop("keyless"), "the lake has no such table"),
    ("a table too many", another, "the source has no such base table"),
]


def run(url, alter):
    """The comparer's exit code and output for a copy with a fault."""
    tables = true_copy()
    alter(tables)
    with tempfile.TemporaryDirectory() as folder:
        write(pathlib.Path(folder), tables)
        out = io.StringIO()
        options = compare.parse(["--source", url, "--lake", folder, "--databases", DATABASE])
        with contextlib.redirect_stderr(out):
            return compare.run(options, out), out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default=os.environ.get("TABLEHAUL_TEST_MYSQL"))
    url = parser.parse_args().source
    if not url:
        parser.error("no --source and no TABLEHAUL_TEST_MYSQL")
    source = sources.Source(url)
    failed = 0
    try:
        for statement in SETUP.split(";\n"):
            source.query(statement)
        for name, alter, want in FAULTS:
            code, out = run(url, alter)
            good = (code == compare.EQUAL) if want is None else (code == compare.DIFFERS and want in out)
            failed += not good
            print("ok      " if good else "FAILED  ", name)
            if not good:
                print(f"exit {code}, want {want!r} in:\n{out}")
    finally:
        source.query(f"DROP DATABASE IF EXISTS {DATABASE}")
    print(f"{len(FAULTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
