-- A grant, after what was due on its wallet; p_viewer: the user of the request, or null for a service.
create or replace function wallet_api.get_grant(p_grant_id uuid, p_viewer text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_grant billing.grants;
begin
  select * into v_grant from billing.grants g where g.grant_id = p_grant_id;
  if v_grant.grant_id is null or v_grant.user_id <> p_viewer then
    perform wallet.refuse_call('grant_not_found', jsonb_build_object('grant_id', p_grant_id));
  end if;
  if wallet.settle_before_read(v_grant.wallet_id) then
    select * into v_grant from billing.grants g where g.grant_id = p_grant_id;
  end if;
  return billing.format_grant(v_grant, wallet.clock());
end $$;
