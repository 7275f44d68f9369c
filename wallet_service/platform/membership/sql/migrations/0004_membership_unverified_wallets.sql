-- Wallets that were made while nobody could say whether their user exists, or by an import, which asks nobody.

alter table wallet.wallets add column unverified_since timestamptz;
comment on column wallet.wallets.unverified_since is
  'null: its user was known when it was made or later, or wallets were not checked then';
create index wallets_unverified on wallet.wallets (wallet_id) where unverified_since is not null;
