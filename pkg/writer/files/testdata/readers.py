"""Reads tables that the sink has written as their readers do by themselves: by folders, and
by the statement that declares the table, not by the manifest.

Requests are lines as in read.py, with two more words: how to read, and the statement.
"""

import json
import os
import re
import sys

import duckdb
import pyarrow as pa
from read import arrow, quoted, text

SPARK = {"timestamptz": "timestamp", "timestamp": "timestamp_ntz"}
DUCK = {"string": "VARCHAR", "binary": "VARCHAR", "timestamptz": "TIMESTAMPTZ", "array<float>": "FLOAT[]"}
# What text has of these types has to be made of strings.
FROM_TEXT = {"binary": "unbase64({})", "array<float>": "from_json({}, 'array<float>')"}
# Hive's SerDe for CSV has strings alone, and the empty one for NULL.
FROM_CSV = {"binary": "unbase64({})", "array<float>": "from_json(nullif({}, ''), 'array<float>')", "string": "{}"}
NO_TEXT = "\x01"  # no value is this

session = None


def spark():
    global session
    if session:
        return session
    from pyspark.sql import SparkSession

    # The second compiler is more than these queries are worth.
    options = {
        "spark.jars": os.environ["TABLEHAUL_TEST_SPARK_JARS"], "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dderby.stream.error.file=/dev/null",
        "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "1", "spark.sql.adaptive.enabled": "false",
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.warehouse.dir": os.environ["TABLEHAUL_TEST_WAREHOUSE"],
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.enableHiveSupport().getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def select(df, m, exprs):
    """The table's columns; those of folders are compared with what they are made of."""
    if m.get("partitions"):
        # Of Hive's own readers, NULL is the name that the folder has.
        made = {"cast(dt as string)": "substr(cast(at as string), 1, 10)", "p_region": "region"}
        odd = df.filter(" or ".join(f"not (nullif({a}, '__HIVE_DEFAULT_PARTITION__') <=> nullif({b}, ''))" for a, b in made.items())).collect()
        assert not odd, f"folders: {odd}"
    return df.selectExpr(*[exprs(c["type"]).format(f"`{c['name']}`") + f" as `{c['name']}`" for c in m["columns"]])


def by_folder(m, _):
    """Spark's readers with as few options as will do."""
    text_has = ("binary", "array<float>") if m["format"] == "csv" else ()
    schema = ", ".join(f"`{c['name']}` " + ("string" if c["type"] in text_has else SPARK.get(c["type"], c["type"])) for c in m["columns"])
    read = spark().read
    if m["format"].startswith("parquet"):
        return select(read.parquet(m["location"]), m, lambda t: "{}")
    if m["format"] == "jsonl":
        return select(read.json(m["location"], schema=schema), m, lambda t: "{}")
    df = read.csv(m["location"], schema=schema, multiLine=True, nullValue=NO_TEXT)
    return select(df, m, lambda t: FROM_TEXT.get(t, "{}"))


def by_hive(m, ddl):
    """The table that the statement declares, read by Hive 2; Parquet that it cannot read, by Spark itself."""
    s = spark()
    s.sql(f"create database if not exists `{m['source'].split('.')[0]}`")
    if m["format"] == "jsonl":
        # Hive 2, which Spark has, finds it at another place, and in it knows no binary.
        ddl = ddl.replace("org.apache.hadoop.hive.serde2.JsonSerDe", "org.apache.hive.hcatalog.data.JsonSerDe").replace("` binary", "` string")
    # Or Spark reads it itself, as above.
    s.conf.set("spark.sql.hive.convertMetastoreParquet", str(m["format"] != "parquet-legacy").lower())
    for statement in ddl.split(";\n"):
        if statement:
            s.sql(statement)
    df = s.table("`" + m["source"].replace(".", "`.`") + "`")
    if m["format"] == "csv":
        return select(df, m, lambda t: FROM_CSV.get(t) or f"cast(nullif({{}}, '') as {SPARK.get(t, t)})")
    texts = {"jsonl": ("binary",), "tsv": ("array<float>",)}.get(m["format"], ())
    return select(df, m, lambda t: FROM_TEXT[t] if t in texts else "{}")


def by_duckdb(m, _):
    """All files of the folder, found by their names."""
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    con.execute("SET TimeZone = 'UTC'")
    if m["location"].startswith("s3:"):
        con.execute(f"LOAD '{os.environ['TABLEHAUL_TEST_DUCKDB_EXTENSIONS']}/httpfs.duckdb_extension'")
        e = {k: text(os.environ[v]) for k, v in {"KEY_ID": "AWS_ACCESS_KEY_ID", "SECRET": "AWS_SECRET_ACCESS_KEY", "REGION": "AWS_REGION"}.items()}
        e["ENDPOINT"] = text(re.sub("^https?://", "", os.environ["TABLEHAUL_TEST_S3"]))
        con.execute("CREATE SECRET (TYPE s3, URL_STYLE 'path', USE_SSL false, " + ", ".join(f"{k} {v}" for k, v in e.items()) + ")")
    columns = "{" + ", ".join(f"{text(c['name'])}: {text(DUCK.get(c['type'], c['type']))}" for c in m["columns"]) + "}"
    files = text(m["location"] + "/**/*." + m["format"].removesuffix("-legacy"))
    source = {
        "parquet": f"read_parquet({files}, hive_partitioning=true)", "parquet-legacy": f"read_parquet({files}, hive_partitioning=true)",
        "jsonl": f"read_json({files}, columns={columns}, format='newline_delimited', hive_partitioning=true)",
        "csv": f"read_csv({files}, columns={columns}, header=false, delim=',', quote='\"', escape='\\', nullstr='', allow_quoted_nulls=false, "
               "new_line='\\n', auto_detect=false, parallel=false, hive_partitioning=true)",
    }[m["format"]]
    bytes_are = "{}" if m["format"].startswith("parquet") else "from_base64({})"
    return con.sql("SELECT " + ", ".join(
        (bytes_are if c["type"] == "binary" else "{}").format(quoted(c["name"])) + " AS " + quoted(c["name"]) for c in m["columns"]) + " FROM " + source)


HOW = {"folder": by_folder, "hive": by_hive, "duckdb": by_duckdb}


def read(manifest, answer, how, ddl):
    m = json.load(open(manifest))
    got = HOW[how](m, ddl)
    got = got.toArrow() if how != "duckdb" else got.to_arrow_table()
    schema = pa.schema([pa.field(c["name"], arrow(c["type"])) for c in m["columns"]])
    got = pa.table([c.cast(t) for c, t in zip(got.columns, schema.types)], schema=schema)
    with pa.ipc.new_stream(answer, schema) as out:
        out.write_table(got)


for line in sys.stdin:
    try:
        read(*json.loads(line))
        print("ok", flush=True)
    except Exception as e:  # noqa: BLE001, it is told
        print(re.sub(r"\s+", " ", f"{type(e).__name__}: {e}")[:4000], flush=True)
if session:
    session.stop()
