"""Query the tables of a lake's folder with DuckDB.

    show.py EXTENSIONS lake/DATABASE [QUERY]

Each table is a view of its name, so QUERY can say `FROM orders`. Without one,
a few queries on the sample database are shown.
"""

import os
import sys

import duckdb

EXAMPLES = [
    ("What was sold, by country", """
        SELECT c.country, count(DISTINCT o.id) AS orders, sum(i.quantity * i.price) AS revenue,
          max(o.total) AS largest_order, max(o.placed_at) AS last_order
        FROM orders o JOIN order_items i ON i.order_id = o.id
        JOIN products p ON p.id = i.product_id JOIN customers c ON c.id = o.customer_id
        WHERE o.status <> 'returned'
        GROUP BY ALL ORDER BY revenue DESC LIMIT 5"""),
    ("Some of a table without a key", """
        SELECT * FROM events WHERE details IS NOT NULL ORDER BY happened_at DESC LIMIT 5"""),
]


def every_type(con):
    """Print the fullest row of every_type on its side: a column a line."""
    columns = con.execute("DESCRIBE every_type").fetchall()
    row = con.execute("SELECT COLUMNS(*)::VARCHAR FROM every_type WHERE id = 1").fetchone()
    for (name, kind, *_), value in zip(columns, row):
        kind = kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
        text = value if len(value) <= 64 else value[:63] + "…"
        print(f"  {name:20} {kind:15} {text}")


def main():
    extensions, folder, query = sys.argv[1], sys.argv[2], sys.argv[3:]
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for e in ("avro", "httpfs", "iceberg"):
        con.execute(f"LOAD '{extensions}/{e}.duckdb_extension'")
    con.execute("SET TimeZone = 'UTC'")
    for table in sorted(os.listdir(folder)):
        con.execute(f"""CREATE VIEW "{table}" AS SELECT * FROM iceberg_scan('{folder}/{table}')""")
    if query:
        con.sql(query[0]).show(max_width=120)
        return
    for title, sql in EXAMPLES:
        print(f"{title}:")
        con.sql(sql).show(max_width=120)
    print("A row with every type MySQL has:")
    every_type(con)


main()
