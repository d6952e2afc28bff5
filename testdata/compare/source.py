"""The source side: what a MySQL or MariaDB server says its tables are and hold.

Rows come over the text protocol in a canonical form that the lake side brings
its values into as well: None, str, or bytes for what is binary.
"""

import dataclasses
import os
import re
import urllib.parse

import pymysql
import pymysql.constants.CR
import pymysql.converters
import pymysql.cursors

SYSTEM = {"mysql", "information_schema", "performance_schema", "sys"}

INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}
TEXTS = {
    "char", "varchar", "tinytext", "text", "mediumtext", "longtext",
    "enum", "set", "json", "uuid", "inet4", "inet6",
}  # fmt: skip
BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
SHAPES = {
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
    "multipolygon", "geometrycollection", "geomcollection",
}  # fmt: skip
DATES = {"date", "datetime", "timestamp"}
MAX_DECIMAL = 38  # the most digits an Iceberg decimal has


@dataclasses.dataclass
class Column:
    """A column as information_schema lists it."""

    name: str
    kind: str  # data_type, such as "int"
    native: str  # column_type, such as "int(11) unsigned"
    nullable: bool
    comment: str
    precision: int  # digits of a number, bits of BIT; 0 where there are none
    scale: int

    @property
    def attributes(self):
        """The words after a number's type. Labels of ENUM could look like them."""
        return self.native.lower().split() if self.kind not in TEXTS else []

    @property
    def unsigned(self):
        return "unsigned" in self.attributes

    @property
    def zerofill(self):
        return "zerofill" in self.attributes


@dataclasses.dataclass
class Table:
    """A base table: its columns in order and the names of its primary key."""

    database: str
    name: str
    columns: list = dataclasses.field(default_factory=list)
    key: list = dataclasses.field(default_factory=list)

    def __str__(self):
        return f"{self.database}.{self.name}"


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def literal(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


class Source:
    """A connection to the server at a mysql:// URL."""

    def __init__(self, url):
        self.connection = connect(
            connection_options(url),
            charset="utf8mb4",
            # With an open transaction a table we have read could not be dropped.
            autocommit=True,
            # No decoders: every value stays what the server sent.
            conv=pymysql.converters.encoders,
            init_command="SET SESSION time_zone = '+00:00', sql_mode = ''",
        )

    def query(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def tables(self, database):
        """The base tables of a database by name; None if there is no such database."""
        where = f"WHERE table_schema = {literal(database)}"
        found = self.query("SELECT schema_name FROM information_schema.schemata")
        if database not in {name for (name,) in found}:
            return None
        # MariaDB has a type of its own for versioned tables. A view or a
        # sequence is none of the two.
        tables = {
            name: Table(database, name)
            for schema, name, kind in self.query(
                f"SELECT table_schema, table_name, table_type FROM information_schema.tables {where}"
            )
            if schema == database and kind in ("BASE TABLE", "SYSTEM VERSIONED")
        }
        for schema, table, *fields in self.query(
            "SELECT table_schema, table_name, column_name, data_type, column_type, is_nullable, column_comment,"
            " numeric_precision, numeric_scale"
            f" FROM information_schema.columns {where} ORDER BY table_name, ordinal_position"
        ):
            if schema == database and table in tables:
                tables[table].columns.append(column_of(*fields))
        for schema, table, name in self.query(
            "SELECT table_schema, table_name, column_name FROM information_schema.statistics"
            f" {where} AND index_name = 'PRIMARY' ORDER BY table_name, seq_in_index"
        ):
            if schema == database and table in tables:
                tables[table].key.append(name)
        return tables

    def rows(self, table, columns, zero_date):
        """Yields the rows of a table as tuples of canonical values."""
        parts = [expression(c) for c in columns]
        convert = [(i, f) for i, f in enumerate(converter(c, zero_date) for c in columns) if f]
        # One table that differs from its twin in case only is another table,
        # so the name is given exactly.
        sql = f"SELECT {', '.join(parts)} FROM {quoted(table.database)}.{quoted(table.name)}"
        with self.connection.cursor(pymysql.cursors.SSCursor) as cursor:
            cursor.execute(sql)
            if not convert:
                yield from cursor
                return
            for row in cursor:
                values = list(row)
                for i, f in convert:
                    if values[i] is not None:
                        values[i] = f(values[i])
                yield tuple(values)


def connection_options(url):
    """PyMySQL's arguments for mysql://user:password@host:port. The password can
    be in MYSQL_PWD instead."""
    u = urllib.parse.urlsplit(url)
    if u.scheme not in ("mysql", "mariadb") or not u.hostname:
        raise ValueError(f"the source is not mysql://user@host:port but {u.scheme}://{u.hostname or ''}")
    options = {"host": u.hostname, "port": u.port or 3306, "user": urllib.parse.unquote(u.username or "root")}
    password = urllib.parse.unquote(u.password or "") or os.environ.get("MYSQL_PWD")
    return options | ({"password": password} if password else {})


def connect(options, **more):
    """A connection; with TLS where there is a password, as PyMySQL alone cannot
    encrypt one, and without where the server has no TLS."""
    if "password" in options:
        try:
            return pymysql.connect(**options, **more, ssl={"ca": None})
        except pymysql.OperationalError as error:
            if error.args[0] != pymysql.constants.CR.CR_SSL_CONNECTION_ERROR:
                raise
    return pymysql.connect(**options, **more)


def column_of(name, kind, native, nullable, comment, precision, scale):
    kind = kind.lower()
    precision = int(precision or 0)
    if kind == "bit":  # MariaDB and MySQL agree on the type's text only
        precision = int((re.search(r"\((\d+)\)", native) or [0, 1])[1])
    return Column(name, kind, native, nullable == "YES", comment or "", precision, int(scale or 0))


# --- values ------------------------------------------------------------------


def expression(column):
    """The SQL whose text is exact, whatever the server would print."""
    name = quoted(column.name)
    kind = column.kind
    if kind in ("float", "double"):
        # A FLOAT prints rounded to six digits; as a DOUBLE it prints in as many
        # as tell it apart. Times one keeps a negative zero, plus zero would not.
        return f"{name} * 1e0"
    if kind == "bit" or (kind in INTEGERS and column.zerofill):
        return f"CAST({name} AS UNSIGNED)"
    if kind == "year" or (kind == "decimal" and column.zerofill and column.precision <= MAX_DECIMAL):
        return f"{name} + 0"
    if kind == "vector":
        return f"HEX({name})"
    return name


def converter(column, zero_date):
    """What turns the server's text into the canonical value; None: it is that."""
    kind = column.kind
    if kind in ("float", "double"):
        return float_text
    if kind in DATES:
        return date_converter(kind == "date", zero_date)
    if kind == "time":
        return microseconds
    if kind in SHAPES:
        return without_srid
    if kind == "vector":
        return bytes.fromhex
    if kind in ("enum", "set"):
        return text_of
    return None


def float_text(text):
    # Python prints the shortest text that reads back to the same bits, and
    # tells 0.0 from -0.0.
    return repr(float(text))


def text_of(value):
    """Labels of charset binary arrive as bytes."""
    return value if isinstance(value, str) else value.decode()


def without_srid(value):
    """The well-known binary after the four bytes of the reference system."""
    return value[4:]


def microseconds(text):
    """-838:59:59.000001 as signed microseconds."""
    hours, minutes, seconds = text.lstrip("-").split(":")
    whole, _, fraction = seconds.partition(".")
    us = ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 1_000_000 + int(fraction.ljust(6, "0"))
    return str(-us if text.startswith("-") else us)


# Fractions have zero to six digits; this is what is missing behind a DATETIME.
PADDING = {19: ".000000"} | {20 + n: "0" * (6 - n) for n in range(1, 7)}


def date_converter(is_date, zero_date):
    epoch = "1970-01-01" if is_date else "1970-01-01 00:00:00.000000"
    instead = {"null": None, "epoch": epoch}[zero_date]
    known = {}  # a date's text: does a calendar hold it?

    def convert(text):
        day = text[:10]
        good = known.get(day)
        if good is None:
            good = known[day] = in_calendar(day)
        if not good:
            return instead
        return text if is_date else text + PADDING[len(text)]

    return convert


def in_calendar(day):
    """Whether the proleptic Gregorian calendar, year 0 included, holds a date."""
    year, month, number = (int(part) for part in day.split("-"))
    if not 1 <= month <= 12:
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return 1 <= number <= days[month - 1]
