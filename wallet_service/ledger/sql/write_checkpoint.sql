-- Totals of a wallet's rows up to p_version, a multiple of 1,000: the last checkpoint and the rows since. Transfers
-- between wallets count under one counter account.
create or replace function wallet.write_checkpoint(p_wallet_id uuid, p_version bigint) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into wallet.checkpoints
    select p_wallet_id, p_version, s.transaction_type, s.direction, s.counter_account, sum(s.transactions), sum(s.amount)
    from (
      select c.transaction_type, c.direction, c.counter_account, c.transactions, c.amount from wallet.checkpoints c
        where c.wallet_id = p_wallet_id and c.wallet_version = p_version - 1000
      union all
      select t.transaction_type, t.direction, wallet.group_counter_account(t.counter_account), 1, t.amount
        from wallet.wallet_transactions t
        where t.wallet_id = p_wallet_id and t.wallet_version > p_version - 1000 and t.wallet_version <= p_version
    ) s
    group by s.transaction_type, s.direction, s.counter_account;
end $$;
