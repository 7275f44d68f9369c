-- As for the ledger's rows (0075): after a number of new rows. Only a refund changes a row of grant_usages.
alter table billing.grant_usages set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_freeze_min_age = 0, autovacuum_analyze_scale_factor = 0.02);
alter table billing.grant_movements set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_freeze_min_age = 0, autovacuum_analyze_scale_factor = 0.02);
