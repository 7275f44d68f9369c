-- Active wallets whose user is unverified and that were debited at least once: {"wallet_ids","next"}. Reads at most p_limit unverified
-- wallets after a place, so it may return none although some follow; next is null at the end. Whether a wallet was debited is
-- seen in its newest checkpoint and the fewer than 1,000 entries since.
create or replace function wallet_api.list_debited_unverified_wallets(p_after uuid default null, p_limit integer default 500)
returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  return (with seen as materialized (
    select w.wallet_id, w.status, w.last_entry from wallet.wallets w
    where w.unverified_since is not null and w.wallet_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
    order by w.wallet_id limit least(p_limit, 1000)
  )
  select json_build_object(
    'wallet_ids', (select coalesce(json_agg(s.wallet_id order by s.wallet_id), '[]') from seen s
      where s.status = 'active' and (
        exists (select from wallet.wallet_transactions t where t.wallet_id = s.wallet_id
          and t.wallet_version > s.last_entry - s.last_entry % 1000 and t.direction = 'debit')
        or exists (select from wallet.checkpoints c where c.wallet_id = s.wallet_id
          and c.wallet_version = s.last_entry - s.last_entry % 1000 and c.direction = 'debit'))),
    'next', (select s.wallet_id from seen s order by s.wallet_id offset least(p_limit, 1000) - 1 limit 1))::text);
end $$;
