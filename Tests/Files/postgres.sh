# A database cluster made and used by a user who is not root: every write is followed by fsync(2) or the like.
set -e
bin=/usr/lib/postgresql/15/bin
mkdir data && chown 1000:1000 data . && chmod 700 data
as() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
as $bin/initdb -D data -A trust -U me --no-locale -E SQL_ASCII >log 2>&1 || cat log
as $bin/postgres --single -D data -c fsync=on postgres >out 2>/dev/null <<'SQL'
create table t(a int, b text);
insert into t select i, repeat('x', i % 100) from generate_series(1, 3000) i;
create index on t(a);
vacuum full t;
checkpoint;
select count(*), sum(length(b)) from t;
SQL
grep 'count = \|sum = ' out
as $bin/pg_controldata -D data | grep 'cluster state'
as $bin/pg_checksums --enable -D data | grep -v scanned && as $bin/pg_checksums --check -D data | grep Bad
as $bin/pg_test_fsync -s 1 -f data/test | grep -c ops/sec
rm -rf data log out
