-- The wallets of an organization, for the list of its book's wallets.
create index concurrently if not exists wallets_organization on wallet.wallets (organization_id, wallet_id)
  where organization_id is not null;
