-- For the list of unverified wallets, of which there are few.
create index concurrently if not exists wallets_unverified on wallet.wallets (wallet_id) where unverified_since is not null;

-- For the organizations of a user's wallets: a user's token sees the wallets of those that the user is still a member of.
create index concurrently if not exists wallets_user_organization on wallet.wallets (user_id, organization_id)
  where organization_id is not null;
