-- Refuses a call whose units can't be read; what is wrong inside an operation refuses that operation only.
create or replace function wallet.check_units(p_units jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_unit jsonb;
begin
  if jsonb_typeof(p_units) is distinct from 'array' then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('', 'must be an array of units'));
  end if;
  for i in 0 .. jsonb_array_length(p_units) - 1 loop
    v_unit := p_units -> i;
    if (case when jsonb_typeof(v_unit) <> 'object' then true
        when jsonb_typeof(v_unit -> 'operations') is distinct from 'array' then true
        when v_unit -> 'operations' = '[]' or v_unit - '{operations,atomic,dry_run,resent}'::text[] <> '{}' then true
        else jsonb_path_exists(v_unit - 'operations', 'strict $.* ? (@.type() != "boolean")') end) then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/' || i,
        'a unit is an object with operations, an array that is not empty, and the booleans atomic, dry_run and resent'));
    end if;
  end loop;
end $$;
