#!/usr/bin/env python3
"""Every kind of key, at sizes that give no split, one, and many.

usage: keys.py --bin TABLEHAUL --server mysql|mariadb --source mysql://user@host:port
               [--rows 0,1,10000,1000000] [--parallel 1,4] [--kinds a,b]

Makes a table for each kind of key and number of rows, moves them all with each
--parallel, and compares count and fingerprint of each table as the source and
DuckDB compute it: a sum over one hash a row, so a row that is lost, doubled or
changed shows. Exit status: 0 equal, 4 differs, 1 anything else.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from urllib.parse import unquote, urlsplit

import pymysql

from lake import connect

# kind: column definitions and key; expressions of n (1 … rows) that fill them;
# and how each key column prints alike in both systems ("text", "hex", "date",
# "datetime", or "num").
KINDS = {
    "int": ("k INT, PRIMARY KEY (k)", ["n"], ["num"]),
    "int_negative": ("k INT, PRIMARY KEY (k)", ["n - 100000"], ["num"]),
    "bigint_unsigned_top": ("k BIGINT UNSIGNED, PRIMARY KEY (k)", ["18446744073709551615 - (n - 1) * 3"], ["num"]),
    "bigint_sparse": ("k BIGINT, PRIMARY KEY (k)", ["n * n * 9000000 - 9000000000000000000 + n"], ["num"]),
    # nearly all rows at the low end, a few at the far one
    "bigint_skewed": ("k BIGINT, PRIMARY KEY (k)", ["IF(n % 1000 = 0, 9000000000000000000 + n, n)"], ["num"]),
    "composite": ("a SMALLINT, k INT, PRIMARY KEY (a, k)", ["n % 100", "n"], ["num", "num"]),
    # one leading value holds nearly every row
    "composite_skewed": ("a INT, k INT, b CHAR(4), PRIMARY KEY (a, b, k)", ["IF(n % 5000 = 0, n, 7)", "n", "CHAR(65 + n % 3)"], ["num", "num", "text"]),
    "string_int": ("a VARCHAR(20), k INT, PRIMARY KEY (a, k)", ["CONCAT('shop ', n % 17)", "n"], ["text", "num"]),
    "string_ci": ("k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, PRIMARY KEY (k)",
                  ["CONCAT(ELT(1 + n % 6, 'a', 'B', 'ä', 'Z', 'ß', '日本'), n)"], ["text"]),
    "string_bin": ("k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, PRIMARY KEY (k)",
                   ["CONCAT(ELT(1 + n % 6, 'a', 'A', 'ä', '''', '\\\\\\\\', '😀'), n)"], ["text"]),
    "char_latin1": ("k CHAR(12) CHARACTER SET latin1 COLLATE latin1_german1_ci, PRIMARY KEY (k)",
                    ["CONCAT(ELT(1 + n % 4, 'ä', 'b', 'Ö', 'x'), n)"], ["text"]),
    "binary": ("k BINARY(16), PRIMARY KEY (k)", ["UNHEX(LEFT(SHA2(n, 256), 32))"], ["hex"]),
    "varbinary": ("k VARBINARY(20), PRIMARY KEY (k)", ["CONCAT(UNHEX(LPAD(HEX(n % 256), 2, '0')), n)"], ["hex"]),
    "decimal": ("k DECIMAL(30,3), PRIMARY KEY (k)", ["(n - 100000) * 1000000000000.125"], ["num"]),
    "date_int": ("a DATE, k INT, PRIMARY KEY (a, k)", ["'2020-01-01' + INTERVAL (n % 1500) DAY", "n"], ["date", "num"]),
    "datetime": ("k DATETIME(6), PRIMARY KEY (k)", ["'2020-01-01 00:00:00.000001' + INTERVAL n * 61 SECOND"], ["datetime"]),
    "enum_int": ("a ENUM('z','y','x'), k INT, PRIMARY KEY (a, k)", ["1 + n % 3", "n"], ["text", "num"]),
    "unique_only": ("k INT NOT NULL, UNIQUE (k)", ["n"], ["num"]),
    "none": ("k INT", ["n DIV 2"], ["num"]),
}
VALUES = [("v", "INT NULL", "NULLIF(n % 7, 0)", "num"), ("s", "VARCHAR(30) NOT NULL", "CONCAT('row ', n * 7919 % 1000)", "text")]

SOURCE_TEXT = {
    "num": "CAST(`{0}` AS CHAR)",
    "text": "`{0}`",
    "hex": "HEX(`{0}`)",
    "date": "DATE_FORMAT(`{0}`, '%Y-%m-%d')",
    "datetime": "DATE_FORMAT(`{0}`, '%Y-%m-%d %H:%i:%s.%f')",
}
LAKE_TEXT = {
    "num": 'CAST("{0}" AS VARCHAR)',
    "text": '"{0}"',
    "hex": 'hex("{0}")',
    "date": "strftime(\"{0}\", '%Y-%m-%d')",
    "datetime": "strftime(\"{0}\", '%Y-%m-%d %H:%M:%S.%f')",
}


def columns(kind):
    """Names and print rules of a kind's columns."""
    definition, _, rules = KINDS[kind]
    names = [part.split()[0] for part in definition.split(", ") if not part.startswith(("PRIMARY", "UNIQUE")) and part.split()[0].islower()]
    return list(zip(names, rules)) + [(v[0], v[3]) for v in VALUES]


def fingerprint(kind, texts, concat, nulls, digits):
    """SQL for count and sum of one 60-bit hash a row."""
    parts = [nulls.format(texts[rule].format(name)) for name, rule in columns(kind)]
    return f"SELECT COUNT(*), COALESCE(SUM({digits.format(concat.format(', '.join(parts)))}), 0) FROM "


def source_sql(kind):
    return fingerprint(kind, SOURCE_TEXT, "CONVERT(CONCAT_WS('|', {0}) USING utf8mb4)", "COALESCE({0}, '~')",
                       "CAST(CONV(LEFT(SHA2({0}, 256), 15), 16, 10) AS DECIMAL(30))")


def lake_sql(kind):
    return fingerprint(kind, LAKE_TEXT, "concat_ws('|', {0})", "COALESCE({0}, '~')", "CAST('0x' || left(sha256({0}), 15) AS BIGINT)")


def make_tables(cur, db, sizes, kinds):
    # Nobody follows the log, which would be written with every row and twice.
    cur.execute("SET SESSION sql_mode='', time_zone='+00:00', sql_log_bin=0")
    cur.execute(f"DROP DATABASE IF EXISTS {db}")
    cur.execute(f"CREATE DATABASE {db} CHARACTER SET utf8mb4")
    cur.execute(f"USE {db}")
    digits = " UNION ALL ".join(f"SELECT {d} d" for d in range(10))
    cur.execute("CREATE TEMPORARY TABLE seq (n BIGINT PRIMARY KEY)")
    cur.execute(f"INSERT INTO seq SELECT 1+a.d+10*b.d+100*c.d+1000*e.d+10000*f.d+100000*g.d FROM ({digits}) a, ({digits}) b, ({digits}) c, "
                f"({digits}) e, ({digits}) f, ({digits}) g")
    for kind in kinds:
        definition, fill, _ = KINDS[kind]
        extra = ", ".join(f"{name} {typ}" for name, typ, _, _ in VALUES)
        values = ", ".join(fill + [v[2] for v in VALUES])
        names = ", ".join(name for name, _ in columns(kind))
        for size in sizes:
            table = f"{kind}_{size}"
            cur.execute(f"CREATE TABLE {table} ({definition}, {extra}) ENGINE=InnoDB")
            cur.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM seq WHERE n <= {size}")
            if size and cur.rowcount != size:
                raise SystemExit(f"{table} was filled with {cur.rowcount} rows, not {size}")


def locations(lake, db):
    with sqlite3.connect(os.path.join(lake, "catalog.db")) as cat:
        return dict(cat.execute("SELECT table_name, metadata_location FROM iceberg_tables WHERE table_namespace = ?", (db,)))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bin", required=True)
    ap.add_argument("--server", default="mysql")
    ap.add_argument("--source", required=True)
    ap.add_argument("--rows", default="0,1,10000,1000000")
    ap.add_argument("--parallel", default="1,4")
    ap.add_argument("--kinds", default=",".join(KINDS))
    args = ap.parse_args()
    sizes, kinds = [int(n) for n in args.rows.split(",")], args.kinds.split(",")
    db = "keys_" + args.server
    u = urlsplit(args.source)
    source = pymysql.connect(host=u.hostname, port=u.port or 3306, user=unquote(u.username or ""), password=unquote(u.password or ""), charset="utf8mb4", autocommit=True)
    cur = source.cursor()
    start = time.time()
    make_tables(cur, db, sizes, kinds)
    print(f"{args.server}: tables made in {time.time() - start:.0f} s", flush=True)
    want = {}
    for kind in kinds:
        for size in sizes:
            cur.execute(source_sql(kind) + f"{kind}_{size}")
            want[kind, size] = tuple(int(v) for v in cur.fetchone())
    passed = failed = 0
    for parallel in args.parallel.split(","):
        tmp = tempfile.mkdtemp(prefix="tablehaul-keys-")
        try:
            lake = os.path.join(tmp, "lake")
            start = time.time()
            subprocess.run([args.bin, "snapshot", f"{args.source}/{db}", "iceberg:" + lake, "--parallel", parallel, "--quiet"], check=True, stdout=subprocess.DEVNULL)
            took = time.time() - start
            duck, where = connect(), locations(lake, db)
            for (kind, size), w in want.items():
                location = where.get(f"{kind}_{size}", "").removeprefix("file://")
                got = duck.execute(lake_sql(kind) + "iceberg_scan(?)", [location]).fetchone() if location else ("no table", "")
                if tuple(int(v) for v in got) == w:
                    passed += 1
                    continue
                failed += 1
                print(f"{args.server} --parallel {parallel} {kind}_{size}: source has {w[0]} rows with sum {w[1]}, lake {got[0]} with {got[1]}")
            print(f"{args.server} --parallel {parallel}: {sum(w[0] for w in want.values())} rows moved in {took:.1f} s", flush=True)
        finally:
            shutil.rmtree(tmp, ignore_errors=True)
    cur.execute(f"DROP DATABASE {db}")
    print(f"{passed} passed, {failed} failed")
    return 4 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
