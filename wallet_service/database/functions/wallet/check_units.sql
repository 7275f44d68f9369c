-- Refuses a call whose units can't be read; what is wrong inside an operation refuses that operation only.
create or replace function wallet.check_units(p_units jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_number bigint;
begin
  if jsonb_typeof(p_units) is distinct from 'array' then
    perform wallet.refuse('validation_failed', wallet.fault('', 'must be an array of units'));
  end if;
  select u.ordinality - 1 into v_number from jsonb_array_elements(p_units) with ordinality u
    where case when jsonb_typeof(u.value) <> 'object' then true
      when jsonb_typeof(u.value -> 'operations') is distinct from 'array' then true
      else jsonb_array_length(u.value -> 'operations') = 0 or exists (select from jsonb_each(u.value) m
        where m.key <> 'operations' and (m.key not in ('atomic', 'dry_run', 'resent') or jsonb_typeof(m.value) <> 'boolean'))
      end
    limit 1;
  if found then
    perform wallet.refuse('validation_failed', wallet.fault('/' || v_number,
      'a unit is an object with operations, an array that is not empty, and the booleans atomic, dry_run and resent'));
  end if;
end $$;
