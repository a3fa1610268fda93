"""What the sqlite lines of sharebench.c do in the guest: 20,000 rows in 200 transactions with WAL, then 5,000 queries."""

import os
import sqlite3
import sys

NAME = "/load.db"


def insert():
    """Makes the database anew."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(NAME + suffix):
            os.remove(NAME + suffix)
    base = sqlite3.connect(NAME, isolation_level=None)
    if base.execute("pragma journal_mode=wal").fetchone() != ("wal",):
        sys.exit("no WAL")
    base.execute("create table rows (id integer primary key, word text, number integer)")
    base.execute("create index numbers on rows (number)")
    for batch in range(200):
        base.execute("begin")
        base.executemany("insert into rows values (?, ?, ?)",
                         ((row, f"word {row * 7919 % 20000}", row * 104729 % 20000)
                          for row in range(batch * 100, batch * 100 + 100)))
        base.execute("commit")
    base.close()


def query():
    """Looks rows up by both keys, and reads all of them once."""
    base = sqlite3.connect(NAME)
    for number in range(5000):
        [(row,)] = base.execute("select id from rows where number = ?", (number * 3,))
        [_] = base.execute("select word from rows where id = ?", (row,))
    if base.execute("select count(*), sum(number) from rows").fetchone() != (20000, 199990000):
        sys.exit("other rows")


{"insert": insert, "query": query}[sys.argv[1]]()
