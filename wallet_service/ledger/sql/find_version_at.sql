-- The newest of a wallet's versions 1 … p_last that was posted at p_moment or before; 0 where there is none. Time never goes
-- back within a wallet, so a bisection finds it: log2(p_last) look-ups by primary key.
create or replace function wallet.find_version_at(p_wallet_id uuid, p_moment timestamptz, p_last bigint) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_low bigint := 0;
  v_high bigint := p_last;
  v_middle bigint;
  v_reached boolean;
begin
  while v_low < v_high loop
    v_middle := (v_low + v_high + 1) / 2;
    select t.created_at <= p_moment into v_reached from wallet.wallet_transactions t
      where t.wallet_id = p_wallet_id and t.wallet_version = v_middle;
    if v_reached then
      v_low := v_middle;
    else
      v_high := v_middle - 1;
    end if;
  end loop;
  return v_low;
end $$;
