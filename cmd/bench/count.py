"""Prints what DuckDB answers to some sums over rows, tab-separated.

usage: count.py EXTENSIONS "iceberg_scan('FOLDER')"|"read_parquet('FILE')" SUMS
"""

import sys

import duckdb

extensions, rows, sums = sys.argv[1:]
db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
for name in ("avro", "iceberg"):
    db.execute(f"LOAD '{extensions}/{name}.duckdb_extension'")
print(*db.execute(f"SELECT {sums} FROM {rows}").fetchone(), sep="\t")
