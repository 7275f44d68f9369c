-- Tables that only grow are vacuumed after a number of new rows, not after a fifth of all rows: each vacuum then has little to do, and
-- reads only the pages that are new. Rows never change, so it freezes them at once. An operator can set other values afterwards.
alter table wallet.wallet_transactions set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_freeze_min_age = 0, autovacuum_analyze_scale_factor = 0.02);
alter table wallet.idempotency set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_freeze_min_age = 0, autovacuum_analyze_scale_factor = 0.02);
