-- Totals of a wallet's rows 1 … p_version by type, direction and counter account (transfers between wallets are one): the nearest
-- checkpoint, plus or minus the rows between. p_last is the wallet's newest version.
create or replace function wallet.read_totals_at(p_wallet_id uuid, p_version bigint, p_last bigint)
returns table (transaction_type text, direction text, counter_account text, transactions bigint, amount numeric)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_checkpoint bigint := least((p_version + 500) / 1000, p_last / 1000) * 1000;
  v_sign integer := case when v_checkpoint > p_version then -1 else 1 end;
begin
  return query select s.transaction_type, s.direction, s.counter_account, sum(s.transactions)::bigint, sum(s.amount)
    from (
      select c.transaction_type, c.direction, c.counter_account, c.transactions, c.amount from wallet.checkpoints c
        where c.wallet_id = p_wallet_id and c.wallet_version = v_checkpoint
      union all
      select t.transaction_type, t.direction, wallet.group_counter_account(t.counter_account), v_sign * count(*), v_sign * sum(t.amount)
        from wallet.wallet_transactions t
        where t.wallet_id = p_wallet_id and t.wallet_version > least(v_checkpoint, p_version)
          and t.wallet_version <= greatest(v_checkpoint, p_version)
        group by 1, 2, t.counter_account
    ) s
    group by 1, 2, 3 having sum(s.transactions) > 0;
end $$;

-- The counter account under which totals are kept: transfers between wallets are one.
create or replace function wallet.group_counter_account(p_counter_account text) returns text
language sql immutable as $$
  select case when p_counter_account like 'wallet:%' then 'wallets' else p_counter_account end
$$;
