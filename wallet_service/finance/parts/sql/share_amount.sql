-- Shares an amount among weights, pro rata: each share is rounded down to the exponent, and the units that are left go to those with
-- the largest remainders, the earlier first. Shares sum to the amount. Weights may have different signs; their sum is not 0.
create or replace function finance.share_amount(p_amount numeric, p_weights numeric[], p_exponent integer) returns numeric[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  c_units constant numeric := abs(p_amount) * power(10::numeric, p_exponent);
  v_total constant numeric := (select sum(w) from unnest(p_weights) w);
begin
  return (with divided as (    -- in whole numbers: no division is rounded
    select w.ordinality as place, c_units * w.weight * sign(v_total) as dividend,
      floor(div(c_units * w.weight * sign(v_total), abs(v_total))) as quotient
    from unnest(p_weights) with ordinality w (weight, ordinality)
  ), floored as (    -- div cuts towards zero
    select d.place, d.dividend, d.quotient - case when d.dividend < d.quotient * abs(v_total) then 1 else 0 end as units from divided d
  ), ranked as (
    select f.place, f.units, row_number() over (order by f.dividend - f.units * abs(v_total) desc, f.place) as rank,
      c_units - sum(f.units) over () as rest
    from floored f
  )
  select array_agg(trim_scale(sign(p_amount) * (r.units + case when r.rank <= r.rest then 1 else 0 end)
    / power(10::numeric, p_exponent)) order by r.place) from ranked r);
end $$;
