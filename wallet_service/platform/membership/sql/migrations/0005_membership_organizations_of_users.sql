-- Which organizations the wallets of a user belong to: a user's token sees those that the user is still a member of.

create index wallets_user_organization on wallet.wallets (user_id, organization_id) where organization_id is not null;
