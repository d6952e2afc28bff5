"""Which files of a table nothing names: all that is there, against all that the
table's metadata leads to, both by DuckDB and the file system."""

import json
import os
import pathlib
import re
import urllib.parse

import lake as lakes

SENT = "a commit was sent"  # ends the record of a run that may have one under way
STAGING = "/metadata/_staging/"


class Store(lakes.Folder):
    """A lake whose catalog is in a folder and whose files are in an object store."""

    def __init__(self, folder, endpoint):
        super().__init__(folder)
        self.db.execute(lakes.s3_secret(endpoint))

    def path(self, namespace, table):
        return self.locations[namespace, table]

    def metadata(self, namespace, table):
        return json.loads(text(self.db, self.path(namespace, table)))


def text(db, path):
    """The content of a text file."""
    return db.execute("SELECT content FROM read_text(?)", [path]).fetchone()[0]


def there(db, home):
    """All files of a table."""
    if home.startswith("s3:"):
        return [row[0] for row in db.execute("SELECT file FROM glob(?)", [home + "/**"]).fetchall()]
    return [str(f) for f in pathlib.Path(home).rglob("*") if f.is_file()]


def named(db, lists):
    """The files that lists of manifests lead to, these included."""
    found = set(lists)
    if lists:
        for (path,) in db.execute("SELECT DISTINCT manifest_path FROM read_avro(?)", [lists]).fetchall():
            path = local(path)
            found.add(path)
            rows = db.execute("SELECT data_file.file_path FROM read_avro(?)", [path]).fetchall()
            found.update(local(row[0]) for row in rows)
    return found


def left_over(db, metadata, file, gone, late, everything):
    """The files of a table that nothing names, and the number of those that a commit may
    still name.

    The last run has opened every table, and discards there what dead runs have left.
    Kept are, for a day, the files of one that has sent a commit to a server and not
    heard of it (pkg/writer/iceberg/record.go). gone are lists of snapshots that a
    catalog has confirmed and not made. Without everything only data and notes of runs
    are looked at."""
    home = local(metadata["location"])
    names = named(db, [local(s["manifest-list"]) for s in metadata.get("snapshots", [])])
    spared = named(db, [local(path) for path in gone])
    names.add(local(file))
    names.update(local(m["metadata-file"]) for m in metadata.get("metadata-log", []))
    names.update(local(s["statistics-path"]) for s in metadata.get("statistics", []))
    files = there(db, home)
    # An empty record is of a run that died before its first file, or, for all
    # that can be told, of another machine's that is about to begin: it stays.
    records = {f.rpartition("/")[2]: text(db, f) for f in files if STAGING in f and "." not in f.rpartition("/")[2]}
    sent = {run for run, record in records.items() if late and record.endswith(SENT)}
    orphans, held = [], 0
    for f in files:
        name, short = f.rpartition("/")[2], f.removeprefix(home + "/")
        if f in names or alias(f, names) or sums(f, names) or records.get(name) == "":
            continue
        if not everything and STAGING not in f and not f.endswith(".parquet"):
            continue
        if f in spared or any(name.startswith(s) for s in sent) or sent and not f.endswith(".parquet"):
            held += f.endswith(".parquet")
        else:
            orphans.append(short)
    return orphans, held


def alias(file, names):
    """Whether it is what makes a folder readable without its catalog (versionhint.go)."""
    folder, _, name = file.rpartition("/")
    if name == "version-hint.text":
        return True
    number = re.fullmatch(r"v(\d+)\.metadata\.json", name)
    if not number:
        return False
    return any(os.path.exists(n) and os.path.samefile(n, file) for n in names if n.startswith(folder))


def sums(file, names):
    """Whether it is of Hadoop's file system, which some catalogs write by: beside each file
    one with its check sums."""
    folder, _, name = file.rpartition("/")
    return name.startswith(".") and name.endswith(".crc") and f"{folder}/{name[1:-4]}" in names


def strays(db, root, homes):
    """The files of a warehouse that are in no table's folder, but for its catalog."""
    return [
        f
        for f in there(db, root)
        if not any(f.startswith(home + "/") for home in homes) and not f.rpartition("/")[2].startswith("catalog.db")
    ]


def local(location):
    if not location.startswith("file:"):
        return location
    plain = location.removeprefix("file:")
    if plain.startswith("//"):
        plain = plain.removeprefix("//")
    return plain if os.path.exists(plain) else urllib.parse.unquote(plain)
