-- The counter account under which totals are kept: transfers between wallets are one.
create or replace function wallet.group_counter_account(p_counter_account text) returns text
language sql immutable as $$
  select case when p_counter_account like 'wallet:%' then 'wallets' else p_counter_account end
$$;
