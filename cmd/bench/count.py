"""Prints what DuckDB answers to some sums over an Iceberg table, tab-separated.

usage: count.py EXTENSIONS TABLE_FOLDER SUMS
"""

import sys

import duckdb

extensions, folder, sums = sys.argv[1:]
db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
for name in ("avro", "iceberg"):
    db.execute(f"LOAD '{extensions}/{name}.duckdb_extension'")
print(*db.execute(f"SELECT {sums} FROM iceberg_scan('{folder}')").fetchone(), sep="\t")
