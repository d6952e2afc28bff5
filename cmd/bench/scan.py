"""Copies a MySQL table into one zstd Parquet file by DuckDB's MySQL scanner.

usage: scan.py EXTENSIONS HOST PORT DATABASE TABLE OUT.parquet
"""

import sys

import duckdb

extensions, host, port, database, table, out = sys.argv[1:]
db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
db.execute(f"LOAD '{extensions}/mysql_scanner.duckdb_extension'")
db.execute(f"ATTACH 'host={host} port={port} user=root database={database}' AS m (TYPE mysql, READ_ONLY)")
db.execute(f"COPY (SELECT * FROM m.{table}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
