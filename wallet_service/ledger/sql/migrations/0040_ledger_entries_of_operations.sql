-- An operation has 1 to 20 entries, and its type is what a room declared. A wallet is operating or mirrored.

-- What a room declared of a type of operation (wallet.find_operation_type).
create type wallet.operation_type as (
  name text,
  form text,                      -- movement | transfer | refund | adjustment | entries
  direction text,                 -- of a movement: credit | debit
  counter_account text,           -- the default in an operating wallet
  mirrored boolean,               -- mirrored wallets have such operations
  mirrored_account text,          -- the default in a mirrored wallet
  users_operating boolean,        -- a user token may post it in operating wallets of its user
  users_mirrored boolean,         -- and in mirrored ones
  refundable boolean
);
-- An entry that an operation wants: positive amounts credit the wallet.
create type wallet.operation_entry as (
  wallet_id uuid,
  amount numeric,                 -- null: what an adjustment finds to be missing from its balance
  counter_account text            -- null: the default of the type
);
alter type wallet.operation_form add attribute direction text, add attribute balance text, add attribute entries jsonb;
alter type wallet.operation
  add attribute form text,                          -- of its type
  add attribute entries wallet.operation_entry[],   -- null for a refund: those of its original, reversed
  add attribute balance numeric;                    -- that an adjustment leaves
alter type wallet.account add attribute keeping text;

-- Old rows are operating. A constant default rewrites no row; a domain with a check would.
alter table wallet.wallets add column keeping text not null default 'operating';
comment on column wallet.wallets.keeping is 'operating: money held here; mirrored: a record of an account kept elsewhere. Fixed at creation';

-- A freeze by a user's token, which that user can lift. Every earlier freeze was an operator's.
alter table wallet.wallets add column frozen_by_owner boolean not null default false;

-- A mirrored wallet may stand below zero. The old constraint held for every row, so the new one does, too.
alter table wallet.wallets drop constraint wallets_available;
alter table wallet.wallets add constraint wallets_available
  check (keeping = 'mirrored' or balance - locked_balance >= -credit_limit) not valid;

-- One primary wallet for each user, currency and keeping: indexes.sql builds the index. Until then the lock of
-- lock_user_currency keeps the rule alone.
drop index wallet.wallets_primary;
