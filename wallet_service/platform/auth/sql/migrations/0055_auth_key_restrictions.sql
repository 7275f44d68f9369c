-- What a key is restricted to, beside its scopes. Null restricts nothing; all that are given apply.

alter table wallet.api_keys
  add column wallet_ids uuid[] check (cardinality(wallet_ids) between 1 and 100),
  add column user_id text collate "C",
  add column organization_id text collate "C",
  add column counter_accounts text[] collate "C" check (cardinality(counter_accounts) between 1 and 100),
  add column max_amount numeric check (max_amount > 0);
comment on column wallet.api_keys.wallet_ids is 'the only wallets that the key sees and moves';
comment on column wallet.api_keys.user_id is 'the only user whose wallets it sees and moves';
comment on column wallet.api_keys.organization_id is 'the only organization whose wallets it sees and moves';
comment on column wallet.api_keys.counter_accounts is 'the only other sides of its entries; a * at the end stands for any rest';
comment on column wallet.api_keys.max_amount is 'the most that one of its operations moves, in units of each currency';
