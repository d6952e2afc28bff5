"""What the demo needs of Python: taking a URL apart, and running SQL where
there is no MySQL client.

    load.py --split URL        host, port, user, database, the URL with that
                               database and without its password, socket, password
    load.py URL [OPTION|DB]…   run statements from standard input
"""

import os
import sys
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit


def split(url):
    u = urlsplit(url)
    user = unquote(u.username or os.environ.get("USER", ""))
    db = unquote(u.path.strip("/")) or "shop"
    host = u.hostname or "127.0.0.1"
    at = f"{u.username}@" if u.username else ""
    port = f":{u.port}" if u.port else ""
    name = f"[{host}]" if ":" in host else host
    plain = urlunsplit((u.scheme, f"{at}{name}{port}", "/" + db, u.query, ""))
    socket = parse_qs(u.query).get("socket", [""])[0]
    return host, u.port or 3306, user, db, plain, socket, unquote(u.password or "")


def main():
    if sys.argv[1] == "--split":
        print("\n".join(map(str, split(sys.argv[2]))))
        return
    import pymysql

    host, port, user, _, _, socket, password = split(sys.argv[1])
    names = [a for a in sys.argv[2:] if not a.startswith("-")]
    con = pymysql.connect(
        host=host, port=port, unix_socket=socket or None, user=user,
        password=password or os.environ.get("MYSQL_PWD", ""),
        database=names[0] if names else None, charset="utf8mb4", autocommit=True,
        client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
    )
    with con.cursor() as c:
        c.execute(sys.stdin.read())
        while True:
            for row in c.fetchall() or ():
                print(*row, sep="\t")
            if not c.nextset():
                break


main()
