-- All wallets, oldest first, in pages like those of list_user_wallets; p_verified: only those that are marked as unverified
-- (false), that are not marked (true), or all (null). A call searches 10,000 wallets for verified ones: a page may be short or
-- empty without being the last.
create or replace function wallet_api.list_wallets(p_verified boolean, p_after uuid, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  c_most_rows constant integer := 10000;
  v_horizon uuid;    -- the last one that is searched; null: no limit
  v_wallets wallet.wallets[];
begin
  if p_verified is false then    -- by itself: the plan of one query for all three would not use the index of unverified wallets
    v_wallets := array(select w from wallet.wallets w
      where w.unverified_since is not null and (p_after is null or w.wallet_id > p_after)
      order by w.wallet_id limit p_limit + 1);
  else
    if p_verified then
      v_horizon := (select w.wallet_id from wallet.wallets w where p_after is null or w.wallet_id > p_after
        order by w.wallet_id offset c_most_rows - 1 limit 1);
    end if;
    v_wallets := array(select w from wallet.wallets w
      where (p_verified is null or w.unverified_since is null) and (p_after is null or w.wallet_id > p_after)
        and (v_horizon is null or w.wallet_id <= v_horizon)
      order by w.wallet_id limit p_limit + 1);
  end if;
  return '[' || coalesce((select string_agg(wallet.format_wallet(v_wallets[i]), ',' order by i)
      from generate_subscripts(v_wallets, 1) i where i <= p_limit), '') || E']\n'
    || coalesce(case when array_length(v_wallets, 1) > p_limit then v_wallets[p_limit].wallet_id else v_horizon end::text,
      '');
end $$;
