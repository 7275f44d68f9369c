-- Refuses the call when the filters name a type that no room has declared: a page without rows would hide the misspelling.
create or replace function wallet.check_history_filters(p_filters jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_filters ->> 'type' is not null and (wallet.find_operation_type(p_filters ->> 'type')).name is null then
    perform wallet.refuse_call('validation_failed',
      wallet.build_fault('/type', 'must be ' || wallet.list_operation_types(), 'query'));
  end if;
end $$;
