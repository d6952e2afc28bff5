#!/usr/bin/env python3
"""Prints the databases that an SQL script on standard input names, one a line:

    create NAME     it creates or drops it
    use NAME        it expects it to be there

It looks at the beginnings of lines, as dumps and samples have these statements.
"""

import re
import sys

IN_COMMENT = r"(?:/\*!\d*\s*)?"  # mysqldump: CREATE DATABASE /*!32312 IF NOT EXISTS*/ `a`
NAME = r"(?:`((?:[^`]|``)+)`|\"([^\"]+)\"|([\w$]+))"
CREATE = re.compile(
    rf"\s*{IN_COMMENT}(?:CREATE|DROP)\s+(?:DATABASE|SCHEMA)\s+{IN_COMMENT}(?:IF\s+(?:NOT\s+)?EXISTS\s*)?(?:\*/\s*)?"
    rf"{NAME}\s*(?:;|/\*|\*/|$|DEFAULT|CHAR|COLLATE|COMMENT)",
    re.I,
)
USE = re.compile(rf"\s*(?:USE|\\u)\s+{NAME}\s*;?\s*(?:--.*)?$", re.I)


def named(lines):
    """The (verb, name) pairs of a script, each once."""
    found = {}
    for line in lines:
        # Two rules for one line: "CREATE DATABASE a; USE a;" is common.
        for statement in line.split(";") if len(line) < 1000 else [line]:
            for verb, rule in (("create", CREATE), ("use", USE)):
                if match := rule.match(statement):
                    quoted, double, plain = match.groups()
                    found[verb, quoted.replace("``", "`") if quoted else double or plain] = True
    return list(found)


if __name__ == "__main__":
    for pair in named(line.decode("utf-8", "replace").rstrip("\r\n") for line in sys.stdin.buffer):
        print(*pair)
