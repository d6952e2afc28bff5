#!/usr/bin/env python3
"""Feeds files of foreign messages through topics into a lake.

    messages.py DIR --bin TABLEHAUL

Each .jsonl, .ndjson or .messages file below DIR has a message a line, of Canal,
TiCDC, Debezium or Maxwell; a tab separates a key from its value. Kafka's own
console producer writes them to a topic of their own, `tablehaul dump` brings
that to a lake, and DuckDB counts its rows. Printed is what landed, and what was
refused and why. Exit code 1 if a run ended in another way than by refusing
messages or leaving tables behind.
"""

import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import uuid

import lake

PREFIX = "messages-"  # of topics
NOTHING = "\\N"  # a key or value that is null


def messages(path):
    """The file's messages, with their keys, as the console producer is to read them."""
    for line in path.read_bytes().splitlines():
        key, tab, _ = line.partition(b"\t")
        if not tab or key.count(b"{") != key.count(b"}"):  # no tab, or one within a value
            line = NOTHING.encode() + b"\t" + line
        yield line


class Kafka:
    def __init__(self):
        self.brokers = os.environ["TABLEHAUL_TEST_KAFKA"]
        self.run = os.environ["TABLEHAUL_TEST_KAFKA_RUN"]

    def tool(self, name, *args, stdin=None):
        command = [self.run, name, "--bootstrap-server", self.brokers, *args]
        return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout

    def topic(self, name, *what):
        self.tool("org.apache.kafka.tools.TopicCommand", "--topic", name, *what)

    def produce(self, name, lines):
        options = [f"--reader-property={p}" for p in ("parse.key=true", "key.separator=\t", f"null.marker={NOTHING}")]
        self.tool("org.apache.kafka.tools.ConsoleProducer", "--topic", name, *options, stdin=b"\n".join(lines) + b"\n")

    def refused(self, name, count):
        """The reasons that messages in a topic have beside them."""
        out = self.tool(
            "org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", name, "--from-beginning", "--max-messages", str(count),
            "--timeout-ms", "120000", "--formatter-property", "print.headers=true", "--formatter-property", "print.value=false",
        ).decode(errors="replace")
        for line in out.splitlines():
            yield line.split("tablehaul.reason:", 1)[-1].split(",tablehaul.topic:", 1)[0]


def landed(folder):
    """The rows of each table of a lake."""
    db = lake.connect()
    for table in sorted(p.parent for p in folder.glob("*/*/metadata")):
        rows = db.execute(f"SELECT count(*) FROM iceberg_scan({lake.literal(str(table))})").fetchone()[0]
        yield f"{table.parent.name}.{table.name}", rows


def feed(kafka, path, binary, work):
    """Prints what becomes of a file, and reports whether that is well."""
    topic = f"{PREFIX}{uuid.uuid4().hex[:12]}"
    bad = topic + "-bad"
    lines = list(messages(path))
    kafka.topic(topic, "--create", "--partitions", "1")
    kafka.produce(topic, lines)
    folder = work / topic
    run = subprocess.run(
        [binary, "dump", f"kafka://{kafka.brokers}/{topic}", f"iceberg:{folder}", "--until", "end", "--keyless", "append", "--bad-message", f"topic:{bad}"],
        capture_output=True, text=True, check=False, timeout=600,
    )
    told = re.search(r"([0-9,]+) messages? (?:was|were) left out", run.stderr)
    count = int(told[1].replace(",", "")) if told else 0
    reasons = collections.Counter(kafka.refused(bad, count) if count else [])
    print(f"{path}: {len(lines)} messages, {count} refused, exit code {run.returncode}")
    for table, rows in landed(folder):
        print(f"    landed: {table}, {rows} rows")
    for reason, n in reasons.most_common():
        print(f"    refused: {n} × {reason}")
    for line in run.stderr.splitlines():
        if "left behind, the others go on" in line or run.returncode not in (0, 3):
            print(f"    said: {line}")
    return run.returncode in (0, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--bin", required=True)
    args = parser.parse_args()
    files = sorted(p for end in ("jsonl", "ndjson", "messages") for p in args.dir.rglob(f"*.{end}"))
    if not files:
        print(f"no messages below {args.dir}")
        return 0
    kafka, failed = Kafka(), 0
    with tempfile.TemporaryDirectory(prefix="messages-") as work:
        for path in files:
            failed += not feed(kafka, path, args.bin, pathlib.Path(work))
    kafka.topic(PREFIX + ".*", "--delete")
    print(f"{len(files)} files of messages, {failed} ended badly")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
