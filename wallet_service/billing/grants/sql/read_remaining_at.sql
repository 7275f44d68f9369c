-- What was left of a grant at a moment: what it brought, less what debits took by then, with what changed it otherwise.
create or replace function billing.read_remaining_at(p_grant billing.grants, p_at timestamptz) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return case when exists (select from wallet.wallet_transactions t
      where t.transaction_id = p_grant.transaction_id and t.created_at <= p_at) then p_grant.amount else 0 end
    - (select coalesce(sum(u.amount), 0) from billing.grant_usages u
      where u.grant_id = p_grant.grant_id and (select t.created_at from wallet.wallet_transactions t
        where t.transaction_id = u.transaction_id and t.leg = 0) <= p_at)
    + (select coalesce(sum(case m.kind when 'returned' then m.amount else -m.amount end), 0) from billing.grant_movements m
      where m.grant_id = p_grant.grant_id and m.moved_at <= p_at);
end $$;
