-- Reads the grants from which the marked wallets of a call can pay (ledger: open_room_state.sql).
create or replace function billing.open_grants(p_settlement wallet.settlement, p_now timestamptz) returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_settlement.state;
begin
  select array_agg(a.wallet_id), array_agg(billing.read_wallet_grants(a.wallet_id)) into v_state.grant_wallets, v_state.grants_held
    from unnest(p_settlement.accounts) a where (a.marks & 1) <> 0;
  p_settlement.state := v_state;
  return p_settlement;
end $$;

-- The grants of a wallet in the order in which debits take from them: the first 16, or all that have something left where one of
-- them pays only some counter accounts, so that what a debit can't use is known.
create or replace function billing.read_wallet_grants(p_wallet_id uuid) returns billing.wallet_grants
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_page constant integer := 16;
  v_held billing.wallet_grants;
begin
  v_held.is_restricted := exists (select from billing.grants g
    where g.wallet_id = p_wallet_id and g.is_live and g.pays is not null);
  v_held.grants := billing.read_grants(p_wallet_id, null, case when not v_held.is_restricted then c_page end);
  v_held.has_more := cardinality(v_held.grants) = c_page and not v_held.is_restricted;
  return v_held;
end $$;

-- The grants of a wallet that have something left, in order, after p_last; at most p_limit. One that is not effective yet is not
-- among them: nothing of it was posted.
create or replace function billing.read_grants(p_wallet_id uuid, p_last billing.grant_state, p_limit integer)
returns billing.grant_state[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return array(
    select row(g.grant_id, g.priority, g.effective_at, g.expires_at, g.pays, g.is_transferable, g.remaining, g.reserved, g.used,
      g.overdrawn, g.voided, g.ended, false)::billing.grant_state
    from billing.grants g
    where g.wallet_id = p_wallet_id and g.is_live and g.transaction_id is not null
      and (p_last is null or (g.priority, g.expires_at, g.effective_at, g.grant_id)
        > (p_last.priority, p_last.expires_at, p_last.effective_at, p_last.grant_id))
    order by g.priority, g.expires_at, g.effective_at, g.grant_id limit p_limit);
end $$;

-- The wallet's grants with all others that have something left.
create or replace function billing.read_all_grants(p_wallet_id uuid, p_held billing.wallet_grants) returns billing.wallet_grants
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_held.has_more then
    p_held.grants := p_held.grants || billing.read_grants(p_wallet_id, p_held.grants[cardinality(p_held.grants)], null);
    p_held.has_more := false;
  end if;
  return p_held;
end $$;
