"""Reads tables that the sink has written, with DuckDB and what Python has.

Requests come as lines on standard input: the manifest's path and a folder for the answer's
Arrow file. An answer is "ok" or what went wrong, on one line. Nothing but the manifest and
its files is looked at.
"""

import gzip
import io
import itertools
import json
import re
import sys

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

ARROW = {
    "boolean": pa.bool_(), "int": pa.int32(), "bigint": pa.int64(), "float": pa.float32(), "double": pa.float64(),
    "date": pa.date32(), "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", tz="UTC"),
    "string": pa.string(), "binary": pa.binary(), "array<float>": pa.list_(pa.float32()),
}
DUCK = {"array<float>": "FLOAT[]", "string": "VARCHAR", "int": "INTEGER", "binary": "BLOB", "timestamptz": "TIMESTAMPTZ"}


def arrow(name):
    m = re.fullmatch(r"decimal\((\d+),(\d+)\)", name)
    return pa.decimal128(int(m[1]), int(m[2])) if m else ARROW[name]


def duck(name):
    return DUCK.get(name, name.upper())


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def text(s):
    return "'" + s.replace("'", "''") + "'"


UNESCAPED = {"n": "\n", "r": "\r"}


def tsv(path, m):
    """TSV by the rule of docs/files.md, with nothing but split and a substitution."""
    data = open(path, "rb").read()
    if path.endswith(".gz"):
        data = gzip.decompress(data)
    elif path.endswith(".zst"):
        data = pa.input_stream(pa.py_buffer(data), compression="zstd").read()
    lines = data.decode().split("\n")
    assert lines.pop() == "", "the last line does not end"
    if m.get("header"):
        lines.pop(0)
    for line in lines:
        values, escaped = [], False
        for part in line.split("\t"):
            if escaped:
                values[-1] += "\t" + part
            else:
                values.append(part)
            escaped = (len(part) - len(part.rstrip("\\"))) % 2 == 1
        yield [None if v == r"\N" else re.sub(r"\\(.)", lambda c: UNESCAPED.get(c[1], c[1]), v) for v in values]


def relation(con, m, paths):
    columns = m["columns"]
    files = "[" + ", ".join(text(p) for p in paths) + "]"
    if m["format"].startswith("parquet"):
        return f"read_parquet({files}, union_by_name=true, hive_partitioning=false)", {}
    # Numbers, dates and so on are cast from their text, so that nothing is guessed; bytes
    # are in base64.
    raw = "{" + ", ".join(f"{text(c['name'])}: 'VARCHAR'" for c in columns) + "}"
    casts = {c["name"]: "from_base64({})" for c in columns if c["type"] == "binary"}
    if m["format"] == "jsonl":
        large = ", maximum_object_size=200000000" if any(f["bytes"] > 2000 * f["rows"] for f in m["files"]) else ""
        return f"read_json({files}, format='newline_delimited', columns={raw}{large}, hive_partitioning=false)", casts
    if m["format"] == "csv":
        header = "true" if m.get("header") else "false"
        large = ", max_line_size=100000000, buffer_size=400000000" if any(f["bytes"] > 2000 * f["rows"] for f in m["files"]) else ""
        return (f"read_csv({files}, columns={raw}, header={header}, auto_detect=false, delim=',', quote='\"', escape='\\', nullstr='', new_line='\\n', "
                f"allow_quoted_nulls=false, null_padding=true, parallel=false{large}, hive_partitioning=false)"), casts
    rows = [r + [None] * (len(columns) - len(r)) for p in paths for r in tsv(p, m)]
    table = pa.table([pa.array([r[i] for r in rows], pa.string()) for i in range(len(columns))], [f"c{i}" for i in range(len(columns))])
    name = f"tsv{next(numbers)}"
    con.register(name, table.rename_columns([c["name"] for c in columns]) if len({c["name"].lower() for c in columns}) == len(columns) else table)
    return name, casts


numbers = itertools.count()


def typed(con, m, paths):
    """The query that has the rows of files of a table, in its columns' types."""
    columns = m["columns"]
    if not paths:
        return "SELECT " + ", ".join(f"CAST(NULL AS {duck(c['type'])}) AS {quoted(c['name'])}" for c in columns) + " WHERE false"
    source, casts = relation(con, m, paths)
    have = {d[0] for d in con.execute(f"SELECT * FROM {source} LIMIT 0").description}
    missing = {c["name"] for c in columns} - have  # which no file has yet
    casts |= {name: "NULL" for name in missing}
    select = ", ".join(f"CAST({casts.get(c['name'], '{}').format(quoted(c['name']))} AS {duck(c['type'])}) AS {quoted(c['name'])}" for c in columns)
    return f"SELECT {select} FROM {source}"


def table(manifest):
    """The rows of the table that the manifest is of."""
    m = json.load(open(manifest))
    base = manifest[: -len("_tablehaul/manifest.json")]
    return rows(m, [base + f["path"] for f in m["files"]])


def rows(m, paths):
    """The rows of these files, of which there are as many as the manifest says."""
    columns = m["columns"]
    schema = pa.schema([pa.field(c["name"], arrow(c["type"])) for c in columns])
    if not paths:
        return schema.empty_table()
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    got = con.execute(typed(con, m, paths)).to_arrow_table()
    assert got.num_rows == m["rows"], f"{got.num_rows} rows, the manifest says {m['rows']}"
    return pa.table([c.cast(t) for c, t in zip(got.columns, schema.types)], schema=schema)


def read(manifest, answer):
    got = table(manifest)
    with pa.ipc.new_stream(answer, got.schema) as out:
        out.write_table(got)


if __name__ == "__main__":
    for line in sys.stdin:
        try:
            read(*json.loads(line))
            print("ok", flush=True)
        except Exception as e:  # noqa: BLE001, it is told
            print(re.sub(r"\s+", " ", f"{type(e).__name__}: {e}")[:2000], flush=True)
