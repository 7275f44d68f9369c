-- Wallets that were created while their user could not be verified, or by an import, which does not verify users.

alter table wallet.wallets add column unverified_since timestamptz;
comment on column wallet.wallets.unverified_since is
  'null: its user was verified, or wallets were not verified at that time';
