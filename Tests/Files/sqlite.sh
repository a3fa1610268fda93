# A database in WAL mode with two processes that write to it at the same time. `sh sqlite.sh TRANSACTIONS`
sqlite3 t.db 'pragma journal_mode=wal;
create table t(a integer primary key, w text, n int); create index i on t(n);'
write() {
  for i in $(seq "$2"); do
    echo ".timeout 60000
begin immediate; insert into t(w, n) select '$1', value from generate_series(1, 50); commit;" |
      sqlite3 t.db || echo "$1 $i failed"
  done
}
write A "$1" & write B "$1" & wait
sqlite3 t.db 'select w, count(*), sum(n) from t group by w; pragma integrity_check; pragma wal_checkpoint(truncate);'
sqlite3 t.db "pragma journal_mode=delete; delete from t where n % 2; vacuum;
pragma integrity_check; select count(*) from t;"
sqlite3 t.db 'select w, n, count(*) from t group by w, n order by w, n' | sha256sum
# A reader in the middle of a transaction sees what was there when it began; a write that is undone leaves nothing.
sqlite3 t.db 'begin; update t set n = 0; rollback; select sum(n) from t;'
ls && rm t.db
