-- Rooms take part in the postings of wallets that they have marked (open_room_state.sql).

alter table wallet.wallets
  add column marks integer not null default 0,
  add column due_at timestamptz not null default 'infinity';
comment on column wallet.wallets.marks is 'bits of the rooms that keep something about this wallet that its postings depend on';
comment on column wallet.wallets.due_at is 'nothing that a room keeps about this wallet takes effect by itself before';

alter type wallet.account
  add attribute marks integer,
  add attribute due_at timestamptz,
  add attribute is_due boolean,   -- its due_at has come; the rooms are settling
  add attribute changed boolean;  -- a room changed its locked_balance, marks or due_at: to be written

-- What rooms keep in memory while a call decides. A room adds attributes of its own, of its own types.
create type wallet.room_state as (
  marks integer                   -- of the wallets of the call, together
);
-- What was due on the wallets of a call, and is posted before its operations.
create type wallet.settlement as (
  accounts wallet.account[],      -- as it leaves them
  state wallet.room_state,
  entries wallet.wallet_transactions[]
);
-- How one operation is decided.
create type wallet.step as (
  decision wallet.decision,
  accounts wallet.account[],
  state wallet.room_state
);
alter type wallet.operation_form add attribute terms jsonb, add attribute caller jsonb;
alter type wallet.operation
  add attribute terms jsonb,      -- of a type that a room decides: what the room reads
  add attribute caller jsonb;     -- and who wants it, for platform.record_change
alter type wallet.decision add attribute result text;     -- of such an operation: JSON of what it made or changed
alter type wallet.decided
  add attribute state wallet.room_state,
  add attribute due wallet.wallet_transactions[];
