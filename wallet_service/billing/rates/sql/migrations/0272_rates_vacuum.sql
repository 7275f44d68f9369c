-- As for the ledger's rows (0075): after a number of new rows.
alter table billing.usage_events set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_freeze_min_age = 0, autovacuum_analyze_scale_factor = 0.02);
