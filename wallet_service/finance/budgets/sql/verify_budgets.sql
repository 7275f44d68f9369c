-- Checks p_limit budgets after p_after, in one snapshot. Returns {checked, next, faults}.
create or replace function wallet_api.verify_budgets(p_after uuid default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select b.* from finance.budgets b where p_after is null or b.budget_id > p_after order by b.budget_id limit least(p_limit, 1000)
  ), faults as (
    select 'budget items' as name, p.budget_id from page p
    where p.amount < (select sum(i.amount) from finance.budget_items i where i.budget_id = p.budget_id)
    union all
    select 'budget categories', p.budget_id from page p where exists (
      select from (select unnest(p.category_ids) union all
        select i.category_id from finance.budget_items i where i.budget_id = p.budget_id) c (category_id)
      where not exists (select from finance.labels l
        where l.label_id = c.category_id and l.book_id = p.book_id and l.kind = 'category'))
    union all
    select 'budget wallets', p.budget_id from page p where exists (select from unnest(p.wallet_ids) w (wallet_id)
      left join wallet.wallets o on o.wallet_id = w.wallet_id
      where finance.find_book_of_wallet(o.user_id, o.organization_id) is distinct from p.book_id)
    union all
    select 'budget alerts', a.budget_id from page p join finance.budget_alerts a on a.budget_id = p.budget_id
    where a.reached_at < p.created_at or a.rearmed_at < a.reached_at
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.budget_id) from page p order by p.budget_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', f.budget_id)), '[]') from faults f)
  )::text);
end $$;
