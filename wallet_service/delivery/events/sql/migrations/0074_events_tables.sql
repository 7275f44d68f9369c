-- Numbered events, and the number of the last one.

-- An event of a posting is a reference to its ledger row, which never changes; the columns of a change are null for it.
create table delivery.events (
  number bigint primary key,
  numbered_at timestamptz not null,
  wallet_version bigint,
  wallet_id uuid,
  event_id uuid,
  event_type text,
  object_id text,
  user_id text collate "C",
  occurred_at timestamptz,
  before jsonb,
  after jsonb
);
comment on column delivery.events.number is 'without gaps, in the order in which readers see events';
comment on column delivery.events.numbered_at is 'never decreases with the number';
comment on column delivery.events.wallet_version is 'of a ledger row; null for a change';
create index events_of_wallet on delivery.events (wallet_id, number) where wallet_id is not null;

-- One row. It is locked by the one call that gives numbers.
create table delivery.numbering (
  one_row boolean primary key default true check (one_row),
  oldest_number bigint not null,
  last_number bigint not null,
  numbered_at timestamptz not null,
  complete_since timestamptz not null
) with (fillfactor = 50);
comment on column delivery.numbering.oldest_number is 'the oldest event that is kept; last_number + 1 if there is none';
comment on column delivery.numbering.complete_since is 'each ledger row of this moment or later has an event, or waits for its number';
-- A posting that is under way while this is applied writes no event yet.
insert into delivery.numbering
  select true, 1, 0, '-infinity', case when exists (select from wallet.wallet_transactions)
    then clock_timestamp() + interval '1 minute' else '-infinity' end;
