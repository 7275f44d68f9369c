-- A midnight of a time zone; the first one where clocks that are set back make it come twice, and the first moment after it where it is
-- skipped.
create or replace function billing.find_midnight(p_midnight timestamp, p_time_zone text) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_at constant timestamptz := p_midnight at time zone p_time_zone;
  v_before constant timestamptz := v_at - interval '12 hours';
  -- The same midnight with the offset from UTC that the time zone had half a day before.
  v_first constant timestamptz := v_before + (p_midnight - (v_before at time zone p_time_zone));
begin
  return case when v_first at time zone p_time_zone = p_midnight then least(v_first, v_at) else v_at end;
end $$;
