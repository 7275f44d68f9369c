-- A user has one primary wallet in a currency, among the operating and among the mirrored ones.
create unique index concurrently if not exists wallets_primary_of_keeping on wallet.wallets (user_id, currency, keeping)
  where is_primary;

-- A name is that of one open wallet of a user, among the operating and among the mirrored ones of a type and currency.
create unique index concurrently if not exists wallets_open_name_of_keeping on wallet.wallets (user_id, wallet_type, currency, name,
  keeping) where status <> 'closed';

-- Entries whose effective moment is not their posting moment: what was entered late, or ahead.
create index concurrently if not exists wallet_transactions_effective on wallet.wallet_transactions (wallet_id, effective_at)
  where effective_at <> created_at;

-- The same entries by the length of their shift, for sums at a moment: see wallet.read_shifted_totals.
create index concurrently if not exists wallet_transactions_shift on wallet.wallet_transactions (wallet_id,
  wallet.find_shift(created_at, effective_at), effective_at) where effective_at <> created_at;

-- Wallets on which something takes effect by itself, by when.
create index concurrently if not exists wallets_due on wallet.wallets (due_at) where due_at < 'infinity';
