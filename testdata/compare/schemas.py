"""The mapping of source types to Iceberg types, and the check of a lake's schema."""

import source

# A type of Iceberg that no identifier field may have.
NO_IDENTIFIER = {"float", "double"}


def iceberg_type(column):
    """The Iceberg type that a column must have, as metadata JSON spells it."""
    kind = column.kind
    if kind in ("tinyint", "smallint", "mediumint", "year"):
        return "int"
    if kind == "int":
        return "long" if column.unsigned else "int"
    if kind == "bigint":
        return "decimal(20, 0)" if column.unsigned else "long"
    if kind == "bit":
        return {1: "boolean", 64: "decimal(20, 0)"}.get(column.precision, "long")
    if kind == "decimal":
        if column.precision > source.MAX_DECIMAL:
            return "string"
        return f"decimal({column.precision}, {column.scale})"
    if kind == "vector":
        return "list<float>"
    fixed = {
        "float": "float",
        "double": "double",
        "date": "date",
        "datetime": "timestamp",
        "timestamp": "timestamptz",
        "time": "long",
    }
    if kind in fixed:
        return fixed[kind]
    if kind in source.TEXTS:
        return "string"
    if kind in source.BYTES or kind in source.SHAPES:
        return "binary"
    raise ValueError(f"column {column.name}: no rule for the type {column.native}")


def required(column, key, zero_date):
    """Whether the field must be required. A date of no calendar becomes NULL
    even where the source says NOT NULL, but for a key, which cannot be NULL."""
    if column.nullable:
        return False
    return not (zero_date == "null" and column.kind in source.DATES and column.name not in key)


def type_text(kind):
    """A type of metadata JSON in one line: decimal(p, s), list<float>."""
    if isinstance(kind, dict):
        if kind.get("type") == "list":
            return f"list<{type_text(kind['element'])}>"
        return kind.get("type", "?")
    if kind.startswith("decimal("):
        return "decimal(" + ", ".join(part.strip() for part in kind[8:-1].split(",")) + ")"
    return kind


def current_schema(metadata):
    """The schema that metadata JSON names as the current one."""
    for schema in metadata.get("schemas", []):
        if schema["schema-id"] == metadata["current-schema-id"]:
            return schema
    raise ValueError("the metadata has no current schema")


def check(table, schema, options):
    """What is wrong with the lake's schema of a table, as lines of text."""
    fields = schema["fields"]
    problems = []
    want = [c.name for c in table.columns]
    got = [f["name"] for f in fields]
    missing = [n for n in want if n not in got]
    extra = [n for n in got if n not in want]
    if missing:
        problems.append(f"columns missing: {', '.join(missing)}")
    if extra:
        problems.append(f"columns that the source has not: {', '.join(extra)}")
    if not missing and not extra and want != got:
        problems.append(f"column order is {', '.join(got)}; want {', '.join(want)}")
    by_name = {f["name"]: f for f in fields}
    for column in table.columns:
        if column.name in by_name:
            problems += check_column(column, by_name[column.name], table.key, options)
    return problems + check_identifier(table, schema)


def check_column(column, field, key, options):
    needed, comment = required(column, key, options.zero_date), column.comment
    if options.through_topic:
        needed, comment = needed and column.name in key, ""
    want = (
        iceberg_type(column),
        "required" if needed else "optional",
        comment,
    )
    got = (
        type_text(field["type"]),
        "required" if field["required"] else "optional",
        field.get("doc") or "",
    )
    return [
        f"column {column.name}: {what} is {g!r}, want {w!r} for {column.native}"
        for what, w, g in zip(("type", "nullability", "doc"), want, got)
        if w != g
    ]


def check_identifier(table, schema):
    names = {f["id"]: f["name"] for f in schema["fields"]}
    got = {names.get(i, f"field {i}") for i in schema.get("identifier-field-ids") or []}
    want = set(table.key)
    types = {c.name: iceberg_type(c) for c in table.columns}
    if any(types[name] in NO_IDENTIFIER for name in want):
        want = set()
    if got == want:
        return []
    return [f"identifier fields are {sorted(got)}, want {sorted(want)}"]
