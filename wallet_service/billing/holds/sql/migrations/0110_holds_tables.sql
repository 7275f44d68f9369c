-- Holds: parts of a wallet's balance that are kept for a payment. While a hold is open, what is left of it is in the wallet's
-- locked_balance.
create table billing.holds (
  hold_id uuid primary key,
  wallet_id uuid not null,
  user_id text collate "C" not null,
  currency text collate "C" not null,
  state text not null default 'open' check (state in ('open', 'captured', 'voided', 'expired')),
  amount numeric(38, 18) not null check (amount > 0),
  authorised numeric(38, 18) not null check (authorised >= amount),
  captured numeric(38, 18) not null default 0 check (captured >= 0),
  voided numeric(38, 18) not null default 0 check (voided >= 0),
  expired numeric(38, 18) not null default 0 check (expired >= 0),
  overage numeric(38, 18) not null default 0 check (overage >= 0),
  counter_account text collate "C" not null,
  placed_by text collate "C",
  grant_ids uuid[] not null default '{}',
  grant_amounts numeric[] not null default '{}',
  expires_at timestamptz not null,
  notice_at timestamptz not null default 'infinity',
  ended_at timestamptz,
  reference text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null,
  check (case state when 'open' then captured < authorised and voided = 0 and expired = 0
    else captured + voided + expired = authorised end),
  check ((state = 'open') = (ended_at is null)),
  check (cardinality(grant_ids) = cardinality(grant_amounts) and (state = 'open' or cardinality(grant_ids) = 0)),
  check (expires_at > created_at)
) with (fillfactor = 80);
comment on column billing.holds.amount is 'when it was placed';
comment on column billing.holds.authorised is 'the same with what increases added';
comment on column billing.holds.captured is 'of what was authorised; overage is what captures took beyond it';
comment on column billing.holds.counter_account is 'what it will pay: grants are reserved for it';
comment on column billing.holds.placed_by is 'the user whose token placed it; null: a service did';
comment on column billing.holds.grant_ids is 'grants of which it reserves a part, and in grant_amounts how much of each';
comment on column billing.holds.notice_at is 'when hold.ending is recorded; infinity: it was, or never is';
create index holds_of_wallet on billing.holds (wallet_id, created_at, hold_id);
create index holds_open on billing.holds (wallet_id, created_at, hold_id) where state = 'open';
create index holds_expiring on billing.holds (wallet_id, expires_at) where state = 'open';
create index holds_ending on billing.holds (wallet_id, notice_at) where state = 'open' and notice_at < 'infinity';
create index holds_of_reference on billing.holds (wallet_id, reference, created_at, hold_id) where reference is not null;

-- The postings that captured from a hold.
create table billing.hold_captures (
  transaction_id uuid primary key,
  hold_id uuid not null,
  amount numeric(38, 18) not null check (amount > 0),
  overage numeric(38, 18) not null check (overage between 0 and amount),
  captured_at timestamptz not null
);
comment on column billing.hold_captures.overage is 'of the amount: beyond the hold';
create index hold_captures_of_hold on billing.hold_captures (hold_id, captured_at);

-- In memory, while a call decides: a change of a hold, to be recorded.
create type billing.hold_event as (type text, hold_id uuid, user_id text, wallet_id uuid, before jsonb, after jsonb, caller jsonb);
-- What the last operation did to a hold, for rooms above.
create type billing.hold_change as (
  transaction_id uuid,            -- of the operation
  counter_account text,           -- of the hold
  amount numeric,                 -- more that it keeps, or less
  rest numeric                    -- what it keeps now
);
-- What is due next on the holds of a wallet.
create type billing.due_hold as (
  at timestamptz,
  kind text,                      -- expiry | notice
  hold_id uuid
);
alter type wallet.room_state
  add attribute holds billing.holds[],            -- those that this call placed or changed, as they are now
  add attribute hold_parts billing.grant_part[],  -- that the last capture takes of what its hold reserved
  add attribute hold_captures billing.hold_captures[],
  add attribute hold_events billing.hold_event[],
  add attribute hold_change billing.hold_change;
