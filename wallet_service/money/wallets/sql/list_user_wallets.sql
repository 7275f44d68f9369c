-- A user's wallets, oldest first, in pages: the items as a JSON array, a line end, and the wallet_id after which the next page
-- begins (nothing when there is none). p_organizations: see wallet.list_unasked_organizations; null shows all.
-- p_restriction: see wallet.is_shown.
create or replace function wallet_api.list_user_wallets(p_user_id text, p_wallet_type text, p_currency text, p_status text,
  p_after uuid, p_limit integer, p_organizations jsonb default null, p_restriction jsonb default null) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_unasked text := wallet.list_unasked_organizations(p_user_id, p_organizations);
  v_wallets wallet.wallets[];
begin
  if v_unasked is not null then
    return v_unasked;
  end if;
  v_wallets := array(select w from wallet.wallets w
    where w.user_id = p_user_id and (p_after is null or w.wallet_id > p_after)
      and (p_wallet_type is null or w.wallet_type = p_wallet_type)
      and (p_currency is null or w.currency = p_currency) and (p_status is null or w.status = p_status)
      and wallet.is_shown(w.wallet_id, w.user_id, w.organization_id, p_organizations, p_restriction)
    order by w.wallet_id limit p_limit + 1);
  return '[' || coalesce((select string_agg(wallet.format_wallet(v_wallets[i]), ',' order by i)
      from generate_subscripts(v_wallets, 1) i where i <= p_limit), '') || E']\n'
    || case when array_length(v_wallets, 1) > p_limit then v_wallets[p_limit].wallet_id::text else '' end;
end $$;
