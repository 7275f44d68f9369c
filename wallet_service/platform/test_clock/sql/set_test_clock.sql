-- Sets the ledger's clock to p_moment, or advances it by p_advance_s seconds; it goes on from there. Never backwards. Returns what
-- read_test_clock returns.
create or replace function wallet_api.set_test_clock(p_moment timestamptz default null, p_advance_s bigint default null,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now timestamptz;
  v_moment timestamptz;
  v_before jsonb;
  v_after jsonb;
begin
  -- The clock of production does not read the table.
  if not wallet.has_test_clock() then
    perform wallet.refuse_call('test_clock_missing');
  end if;
  lock table wallet.test_clock in exclusive mode;    -- one change at a time; postings go on reading
  v_now := wallet.clock();
  v_moment := coalesce(p_moment, v_now + make_interval(secs => p_advance_s));
  if v_moment is null or v_moment < v_now then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/moment',
      'must not be before what the clock shows, ' || wallet.format_time(v_now)));
  elsif v_moment >= '9999-01-01 00:00:00+00' then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/moment', 'must be before the year 9999'));
  end if;
  v_before := wallet_api.read_test_clock();
  insert into wallet.test_clock (moment, set_at) values (v_moment, clock_timestamp())
    on conflict (is_only) do update set moment = excluded.moment, set_at = excluded.set_at;
  v_after := jsonb_build_object('moment', wallet.format_time(v_moment), 'is_set', true);
  perform platform.record_change(p_caller, 'test_clock.set', 'test_clock', v_before, v_after);
  return v_after::text;
end $$;
