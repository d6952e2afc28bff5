"""Makes lakes of what is written down, true or false, with PyIceberg.

Reads a JSON array from standard input, of each lake its folder, its namespace,
and for each table its fields and commits, which append rows at a position.
"""

import json
import pathlib
import sys

import pyarrow
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

TYPES = {"long": LongType(), "string": StringType()}


def plant(lake):
    folder = pathlib.Path(lake["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog("plant", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace(lake["namespace"])
    for t in lake["tables"]:
        fields = [NestedField(i, name, TYPES[kind]) for i, (name, kind) in enumerate(t["fields"], 1)]
        table = catalog.create_table((lake["namespace"], t["name"]), Schema(*fields))
        arrow = schema_to_pyarrow(table.schema(), include_field_ids=False)
        for commit in t["commits"]:
            columns = [pyarrow.array([row[i] for row in commit["rows"] or []], f.type) for i, f in enumerate(arrow)]
            rows = pyarrow.Table.from_arrays(columns, schema=arrow)
            note = {"chaos": "compaction"} if commit.get("foreign") else {"tablehaul.position": commit["position"]}
            table.append(rows, snapshot_properties={k: v for k, v in note.items() if v})


def main():
    for lake in json.load(sys.stdin):
        plant(lake)


if __name__ == "__main__":
    main()
