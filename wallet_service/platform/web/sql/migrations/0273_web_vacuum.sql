-- As for the ledger's rows (0075): after a number of new rows. A key is updated once, in the transaction that spends it: its first
-- version is dead from the start, and is counted as any dead row.
alter table platform.request_keys set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_freeze_min_age = 0, autovacuum_analyze_scale_factor = 0.02);
