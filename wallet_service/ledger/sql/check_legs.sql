-- Whether the rows of a posting belong together: one leg, or two that balance and name each other, and the direction
-- that its type has. p_original: the rows that a refund reverses. Null counts as no.
create or replace function wallet.check_legs(p_legs wallet.wallet_transactions[], p_original wallet.wallet_transactions[])
returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_type text := p_legs[1].transaction_type;
  v_two boolean := v_type = 'transfer' or (v_type = 'refund' and coalesce(cardinality(p_original), 1) = 2);
begin
  if cardinality(p_legs) <> (case when v_two then 2 else 1 end) or p_legs[1].leg <> 0
    or (v_type <> 'refund' and (v_type in ('deposit', 'reward')) <> (p_legs[1].direction = 'credit'))
  then
    return false;
  elsif not v_two then
    return p_legs[1].counter_account not like 'wallet:%';
  end if;
  return p_legs[2].leg = 1 and p_legs[2].transaction_type = v_type
    and p_legs[1].amount = p_legs[2].amount and p_legs[1].direction <> p_legs[2].direction
    and p_legs[1].currency = p_legs[2].currency and p_legs[1].wallet_id <> p_legs[2].wallet_id
    and p_legs[1].created_at = p_legs[2].created_at
    and p_legs[1].original_transaction_id is not distinct from p_legs[2].original_transaction_id
    and p_legs[1].counter_account = 'wallet:' || p_legs[2].wallet_id
    and p_legs[2].counter_account = 'wallet:' || p_legs[1].wallet_id;
end $$;
