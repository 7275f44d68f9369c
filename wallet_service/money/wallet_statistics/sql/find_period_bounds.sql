-- The moments at which a period begins, is divided (p_interval: day or month, UTC) and ends. Each is the last that
-- belongs to the part before it. Infinite where the period is open.
create or replace function wallet.find_period_bounds(p_from timestamptz, p_to timestamptz, p_interval text, p_now timestamptz)
returns timestamptz[]
language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  c_most_steps constant integer := 366;
  c_tick constant interval := '1 microsecond';
  v_step constant interval := '1 ' || p_interval;
  v_inner timestamptz[];
begin
  if p_from >= p_to then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/to', 'must be later than from', 'query'));
  elsif p_interval is not null then
    if p_interval not in ('day', 'month') then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/interval', 'must be day or month', 'query'));
    elsif p_from is null then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/from', 'must be given with an interval', 'query'));
    end if;
    v_inner := array(select s.at - c_tick from (select generate_series(date_trunc(p_interval, p_from) + v_step,
      coalesce(p_to, p_now) - c_tick, v_step) as at limit c_most_steps) s);
    if cardinality(v_inner) >= c_most_steps then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/interval', 'divides the period into more than 366 steps', 'query'));
    end if;
  end if;
  return coalesce(p_from - c_tick, '-infinity') || v_inner || coalesce(p_to - c_tick, 'infinity');
end $$;
