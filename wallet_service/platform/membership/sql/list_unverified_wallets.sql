-- Which of these wallets are marked as unverified, with their owners: [{"wallet_id", "user_id", "organization_id"}].
-- p_wallet_ids is an array of at most 1,000 ids.
create or replace function wallet_api.list_unverified_wallets(p_wallet_ids jsonb) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select coalesce(json_agg(json_build_object('wallet_id', w.wallet_id, 'user_id', w.user_id,
      'organization_id', w.organization_id) order by w.wallet_id), '[]')
    from wallet.wallets w
    where w.wallet_id = any (array(select i.value::uuid from jsonb_array_elements_text(p_wallet_ids) i limit 1000))
      and w.unverified_since is not null
  )::text;
end $$;
