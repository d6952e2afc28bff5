"""Tables that lie in plain files: on a local disk, in S3 or in HDFS. They are found as any
reader would find them, and read by the reader of the sink's own tests.

All files are had from a copy in a folder of this machine, in which they stay: a file that
was there once does not change.
"""

import contextlib
import datetime
import json
import os
import pathlib
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import lake as lakes
import pyarrow.fs

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "pkg" / "writer" / "files" / "testdata"))
import read  # noqa: E402

MANIFEST = "_tablehaul/manifest.json"
TURNS = 50  # that a table may be written anew while it is read


class Local:
    def __init__(self, q):
        self.root = q["root"]

    def fetch(self, path, to):
        with contextlib.suppress(FileExistsError):  # another check was quicker
            os.link(f"{self.root}/{path}", to)

    def content(self, path):
        return pathlib.Path(self.root, path).read_bytes()

    def sizes(self, path):
        home = pathlib.Path(self.root, path)
        return {str(f.relative_to(home)): f.stat().st_size for f in sorted(home.rglob("*")) if not f.is_dir()}


class Fetched:
    def fetch(self, path, to):
        data = self.content(path)
        with tempfile.NamedTemporaryFile(dir=os.path.dirname(to), delete=False) as part:
            part.write(data)
        os.replace(part.name, to)  # whole, for another check that looks meanwhile


class S3(Fetched):
    def __init__(self, q):
        url = urllib.parse.urlsplit(q["endpoint"])
        self.root = q["root"]
        self.fs = pyarrow.fs.S3FileSystem(
            access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
            region=os.environ.get("AWS_REGION", "us-east-1"), endpoint_override=url.netloc, scheme=url.scheme,
        )  # fmt: skip

    def content(self, path):
        with self.fs.open_input_file(f"{self.root}/{path}") as f:
            return f.read()

    def sizes(self, path):
        home = f"{self.root}/{path}".rstrip("/")
        found = self.fs.get_file_info(pyarrow.fs.FileSelector(home, allow_not_found=True, recursive=True))
        return {f.path[len(home) + 1 :]: f.size for f in found if f.is_file}


class HDFS(Fetched):
    """By its NameNode's HTTP port."""

    def __init__(self, q):
        self.root, self.endpoint = q["root"], q["endpoint"]

    def call(self, path, op):
        path = urllib.parse.quote(f"{self.root}/{path}".rstrip("/"))
        try:
            with urllib.request.urlopen(f"{self.endpoint}/webhdfs/v1{path}?op={op}", timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise FileNotFoundError(path) from error
            raise

    def content(self, path):
        return self.call(path, "OPEN")

    def sizes(self, path):
        found = {}

        def walk(folder):
            try:
                answer = json.loads(self.call(f"{path}/{folder}", "LISTSTATUS"))
            except FileNotFoundError:
                return
            for f in answer["FileStatuses"]["FileStatus"]:
                name = folder + f["pathSuffix"]
                if f["type"] == "DIRECTORY":
                    walk(name + "/")
                else:
                    found[name] = f["length"]

        walk("")
        return found


def milliseconds(text):
    """A time of UTC as the manifest has it, since 1970."""
    second, _, fraction = text.rstrip("Z").partition(".")
    return int(datetime.datetime.fromisoformat(second + "+00:00").timestamp()) * 1000 + int((fraction + "000")[:3])


STORES = {"file": Local, "s3": S3, "hdfs": HDFS}


class Lake:
    def __init__(self, q):
        self.q = q
        self.store = STORES[q["kind"]](q)
        self.db = lakes.connect()
        self.seen = q["seen"]  # folder of what was fetched
        self.manifests = {}
        self.known = {}  # number of each table's manifest that was seen last

    def tables(self, namespace):
        return {n.split("/")[0] for n in self.store.sizes(namespace) if n.split("/", 1)[1:] == [MANIFEST]}

    def manifest(self, namespace, table):
        return json.loads(self.store.content(f"{namespace}/{table}/{MANIFEST}"))

    def current(self, namespace, table):
        """The manifest as it was when it was first asked for."""
        if (namespace, table) not in self.manifests:
            self.manifests[namespace, table] = self.manifest(namespace, table)
        return self.manifests[namespace, table]

    def fetched(self, path):
        to = f"{self.seen}/{path}"
        if not os.path.exists(to):
            os.makedirs(os.path.dirname(to), exist_ok=True)
            self.store.fetch(path, to)
        return to

    def query(self, db, namespace, table, m, names):
        return read.typed(db, m, [self.fetched(f"{namespace}/{table}/{n}") for n in names])

    def relation(self, namespace, table):
        m = self.current(namespace, table)
        return f"({self.query(self.db, namespace, table, m, [f['path'] for f in m['files']])})"

    def listed(self, namespace, table):
        """The table for who knows of no manifest but which folder is the current one."""
        m = self.current(namespace, table)
        return f"({self.query(self.db, namespace, table, m, self.data_files(namespace, table, m))})"

    def data_files(self, namespace, table, m):
        folder = m['generation']
        names = self.store.sizes(f"{namespace}/{table}/{folder}")
        return [f"{folder}/{n}" for n in names if not any(part[0] in "_." for part in n.split("/"))]

    def left(self, namespace, table):
        """The files that nothing leads to, and the number of those that stay for a while: what
        a process has left that was killed while it began a stage, and had not yet said whose
        that is, or was about to put another manifest in place."""
        m = self.current(namespace, table)
        named = {f["path"] for f in m["files"]}
        folders = {m['generation'], m.get('oldGeneration')}
        found, held = [], 0
        for name, size in self.store.sizes(f"{namespace}/{table}").items():
            folder, _, rest = name.partition("/")
            if folder == "_tablehaul":
                if rest.startswith(".manifest.json.") or rest.endswith("/owner.json") and size == 0:
                    held += 1
                elif rest != "manifest.json" and not rest.startswith("commits/"):
                    found.append(name)
            elif folder not in folders or folder == m['generation'] and name not in named and not name.endswith("/_SUCCESS"):
                found.append(name)
        return found, held

    def look(self, namespace, table, expressions):
        """What the manifest shows at this moment. Files may go between the manifest and
        their being opened where they are written anew: then there is another manifest."""
        number, torn = None, 0
        for _ in range(TURNS):
            seen = {"id": self.known.get(table, 0), "at": 0, "position": "", "error": None}
            try:
                m = self.manifest(namespace, table)
            except FileNotFoundError as error:
                return seen | {"error": f"the manifest has gone: {error}"} if table in self.known else None
            except Exception as error:
                # Neither HDFS nor the S3 of the tests has an object take the place of another one
                # for whoever is just reading it.
                if isinstance(self.store, Fetched) and (torn := torn + 1) < 5:
                    continue
                return seen | {"error": f"the manifest: {type(error).__name__}: {error}"}
            try:
                seen = {"id": m["number"], "at": milliseconds(m["committed"]), "position": m["position"], "error": None}
                if m["number"] == number:
                    raise AssertionError(f"{missing} is missing, which the manifest names")
                if m["number"] < self.known.get(table, 0):
                    raise AssertionError(f"the manifest is of commit {m['number']}, and was of {self.known[table]}")
                self.known[table] = m["number"]
                rows = self.query(self.db, namespace, table, m, [f["path"] for f in m["files"]])
                got = self.db.execute(f"SELECT {expressions} FROM ({rows})").fetchone()
                seen["amount"], seen["version"], seen["double"], seen["rows"] = map(int, got)
                if seen["rows"] != m["rows"]:
                    seen["error"] = f"it has {seen['rows']} rows, the manifest says {m['rows']}"
                return seen
            except FileNotFoundError as error:
                number, missing = m["number"], error
                if not self.q["latest"]:
                    return seen | {"error": f"{missing} is missing, which the manifest names"}
            except Exception as error:  # a file that is torn
                return seen | {"error": str(error)}
        return None  # quicker than we are
