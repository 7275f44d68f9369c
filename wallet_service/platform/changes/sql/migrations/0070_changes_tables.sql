-- What calls changed, as each call writes it in its own transaction: for readers of events, and for the audit trail.

-- Events without a number. delivery.events gives committed ones a number, in the order of sequence, and removes them here. A call
-- takes its sequence while it holds the locks of what it changed. So what depends on an earlier commit has a higher sequence.
create table platform.outbox (
  sequence bigint generated always as identity primary key,
  event_id uuid,
  event_type text,
  object_id text,
  user_id text collate "C",
  wallet_id uuid,
  occurred_at timestamptz,
  before jsonb,
  after jsonb,
  wallet_ids uuid[],
  wallet_versions bigint[]
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);
comment on column platform.outbox.wallet_ids is 'of a posting: the wallets of its ledger rows, in order, with their wallet_versions; its other columns are null';

-- Who changed or read what. Append-only: rows leave by retention alone.
create table platform.audit_entries (
  sequence bigint generated always as identity primary key,
  recorded_at timestamptz not null,
  actor text collate "C" not null,
  on_behalf_of text collate "C",
  client_id text collate "C",
  address text,
  session_id text,
  user_agent text,
  request_id text,
  action text not null,
  object_id text collate "C" not null,
  user_id text collate "C",
  before jsonb,
  after jsonb
);
comment on column platform.audit_entries.action is 'the type of the event, as wallet.updated, or of a read, as file.read';
comment on column platform.audit_entries.user_id is 'whose data it is, if it is that of one user';
create function platform.refuse_audit_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '% of %.% is refused: the audit trail is append-only', tg_op, tg_table_schema, tg_table_name
    using errcode = 'WL003';
end $$;
create trigger append_only before update or truncate on platform.audit_entries
  for each statement execute function platform.refuse_audit_change();
