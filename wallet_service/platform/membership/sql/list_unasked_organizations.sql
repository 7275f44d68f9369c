-- The result of a read of all wallets of a user that can't be answered yet: {"unasked":[…]} has the organizations of these
-- wallets that are not in p_organizations (an object: whether the user may see the wallets of this organization); null when there
-- is none. At most 501 are read, one index step each; the service refuses a user with so many.
create or replace function wallet.list_unasked_organizations(p_user_id text, p_organizations jsonb) returns text
language plpgsql stable strict
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
begin
  return (
    with recursive organizations (organization_id) as (
      (select w.organization_id from wallet.wallets w
        where w.user_id = p_user_id and w.organization_id is not null order by w.organization_id limit 1)
      union all
      select (select w.organization_id from wallet.wallets w
        where w.user_id = p_user_id and w.organization_id > o.organization_id order by w.organization_id limit 1)
      from organizations o where o.organization_id is not null
    ), looked_at as (
      select o.organization_id from organizations o where o.organization_id is not null limit 501
    )
    select '{"unasked":' || json_agg(l.organization_id) || '}' from looked_at l where not p_organizations ? l.organization_id);
end $$;
