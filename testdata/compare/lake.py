"""The lake side: tables of an Iceberg catalog, read through DuckDB.

A catalog is a folder with an SQLite catalog in it, or a REST service. Values
come in the same canonical form as those of the source side.
"""

import importlib.util
import json
import os
import pathlib
import sqlite3
import struct
import unicodedata
import urllib.error
import urllib.parse
import urllib.request

import duckdb

import schemas


def connect():
    """A DuckDB with the extensions loaded, fetching nothing from anywhere."""
    db = duckdb.connect()
    db.execute("SET autoinstall_known_extensions = false")
    db.execute("SET autoload_known_extensions = false")
    db.execute("SET TimeZone = 'UTC'")
    for name in ("avro", "httpfs", "iceberg"):
        db.execute(f"LOAD {literal(str(extension(name)))}")
    return db


def extension(name):
    """The file of an extension, as its Python package ships it."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None:
        raise RuntimeError(f"duckdb-extension-{name}=={duckdb.__version__} is not installed")
    folder = pathlib.Path(spec.submodule_search_locations[0])
    return folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def landing_name(name, special):
    """The name that a source's name has in a catalog. Libraries refuse slashes,
    control characters and names of dots only: these are written as ~XX, and with
    them what else is special to the kind of catalog."""
    only_dots = not name.strip(".")
    bad = [c == "/" or unicodedata.category(c) == "Cc" or only_dots or c in special for c in name]
    if not any(bad):
        return name
    return "".join(escaped(c) if b or c == "~" else c for c, b in zip(name, bad))


def escaped(character):
    return "".join(f"~{byte:02X}" for byte in character.encode())


def namespace_of(text):
    """A namespace as the table iceberg_tables has it. Levels are joined by dots;
    iceberg-go has another form for a level that has a dot itself."""
    prefix = "__iceberg_namespace_v1__:"
    return ".".join(json.loads(text.removeprefix(prefix))) if text.startswith(prefix) else text


class Folder:
    """A lake in a folder: FOLDER/catalog.db lists the tables' metadata files."""

    special = ""

    def __init__(self, folder):
        self.db = connect()
        self.locations = {}  # (namespace, table): metadata_location
        path = pathlib.Path(folder) / "catalog.db"
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file")
        catalog = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            for space, *row in catalog.execute(
                "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables"
            ):
                self.locations[namespace_of(space), row[0]] = row[1]
        finally:
            catalog.close()

    def tables(self, namespace):
        return {table for space, table in self.locations if space == namespace}

    def metadata(self, namespace, table):
        return json.loads(self.path(namespace, table).read_bytes())

    def path(self, namespace, table):
        """The metadata file. A location may be a path or a URL with escapes."""
        location = self.locations[namespace, table]
        if not location.startswith("file:"):
            return pathlib.Path(location)
        plain = pathlib.Path(location.removeprefix("file:").removeprefix("//"))
        return plain if plain.exists() else pathlib.Path(urllib.parse.unquote(str(plain)))

    def relation(self, namespace, table):
        return f"iceberg_scan({literal(str(self.path(namespace, table)))})"


class Rest:
    """A lake behind an Iceberg REST catalog that asks for no credentials."""

    special = "%+"

    def __init__(self, url, s3_endpoint=None):
        self.url = url.rstrip("/")
        config = self.get("config")
        prefix = (config.get("defaults", {}) | config.get("overrides", {})).get("prefix")
        self.prefix = f"{prefix}/" if prefix else ""
        self.db = connect()
        if s3_endpoint:
            self.db.execute(s3_secret(s3_endpoint))
        self.db.execute(
            f"ATTACH '' AS lake (TYPE iceberg, ENDPOINT {literal(self.url)}, AUTHORIZATION_TYPE 'none',"
            f" ACCESS_DELEGATION_MODE 'none')"
        )

    def get(self, path):
        with urllib.request.urlopen(f"{self.url}/v1/{path}", timeout=60) as answer:
            return json.load(answer)

    def tables(self, namespace):
        found, page = set(), ""
        while page is not None:
            try:
                answer = self.get(f"{self.prefix}namespaces/{part(namespace)}/tables?pageToken={part(page)}")
            except urllib.error.HTTPError as error:
                if error.code == 404:  # no such namespace
                    return found
                raise
            found |= {t["name"] for t in answer["identifiers"]}
            page = answer.get("next-page-token") or None
        return found

    def metadata(self, namespace, table):
        return self.get(f"{self.prefix}namespaces/{part(namespace)}/tables/{part(table)}")["metadata"]

    def relation(self, namespace, table):
        return f"lake.{quoted(namespace)}.{quoted(table)}"


def part(name):
    return urllib.parse.quote(name, safe="")


def s3_secret(endpoint):
    """The SQL that gives DuckDB the store's address and the keys from the environment."""
    url = urllib.parse.urlsplit(endpoint)
    return (
        f"CREATE SECRET store (TYPE s3, KEY_ID {literal(os.environ.get('AWS_ACCESS_KEY_ID', ''))},"
        f" SECRET {literal(os.environ.get('AWS_SECRET_ACCESS_KEY', ''))},"
        f" REGION {literal(os.environ.get('AWS_REGION', 'us-east-1'))},"
        f" ENDPOINT {literal(url.netloc)}, URL_STYLE 'path', USE_SSL {url.scheme == 'https'})"
    )


# --- values ------------------------------------------------------------------


def rows(lake, namespace, table, fields):
    """Yields a table's rows as tuples of canonical values, in the fields' order."""
    types = [schemas.type_text(f["type"]) for f in fields]
    parts = [expression(quoted(f["name"]), kind) for f, kind in zip(fields, types)]
    convert = [(i, CONVERTERS[kind]) for i, kind in enumerate(types) if kind in CONVERTERS]
    cursor = lake.db.execute(f"SELECT {', '.join(parts)} FROM {lake.relation(namespace, table)}")
    while batch := cursor.fetchmany(20_000):
        if not convert:
            yield from batch
            continue
        for row in batch:
            values = list(row)
            for i, f in convert:
                if values[i] is not None:
                    values[i] = f(values[i])
            yield tuple(values)


def expression(name, kind):
    """The DuckDB SQL that makes a canonical value, by the type the lake has."""
    if kind in ("string", "binary", "list<float>"):
        return name
    if kind in ("float", "double"):
        return f"CAST({name} AS DOUBLE)"
    if kind == "boolean":
        return f"CAST(CAST({name} AS INTEGER) AS VARCHAR)"
    if kind == "date":
        return f"strftime({name}, '%Y-%m-%d')"
    if kind == "timestamp":
        return f"strftime({name}, '%Y-%m-%d %H:%M:%S.%f')"
    if kind == "timestamptz":
        return f"strftime(make_timestamp(epoch_us({name})), '%Y-%m-%d %H:%M:%S.%f')"
    if kind.startswith("decimal") and all_fraction(kind):
        # DuckDB prints .5 where nothing can stand before the point.
        return f"regexp_replace(CAST({name} AS VARCHAR), '^(-?)[.]', '\\10.')"
    return f"CAST({name} AS VARCHAR)"


def all_fraction(kind):
    precision, scale = kind[8:-1].split(",")
    return int(precision) == int(scale)


def packed(values):
    """A list of floats as the bytes they are; one with a NULL in it as text."""
    if None in values:
        return repr(values)
    return struct.pack(f"<{len(values)}f", *values)


CONVERTERS = {"float": repr, "double": repr, "list<float>": packed}
