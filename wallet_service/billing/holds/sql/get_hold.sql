-- A hold, after what was due on its wallet; p_viewer: the user of the request, or null for a service.
create or replace function wallet_api.get_hold(p_hold_id uuid, p_viewer text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_hold billing.holds;
begin
  select * into v_hold from billing.holds h where h.hold_id = p_hold_id;
  if v_hold.hold_id is null or v_hold.user_id <> p_viewer then
    perform wallet.refuse_call('hold_not_found', jsonb_build_object('hold_id', p_hold_id));
  end if;
  if wallet.settle_before_read(v_hold.wallet_id) then
    select * into v_hold from billing.holds h where h.hold_id = p_hold_id;
  end if;
  return billing.format_hold(v_hold, wallet.clock(), (select c.exponent from wallet.currencies c where c.code = v_hold.currency));
end $$;
