-- Refuses a call: SQLSTATE WL001, the problem's code as message, its facts as detail.
create or replace function wallet.refuse_call(p_code text, p_facts jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'WL001', message = p_code, detail = p_facts::text;
end $$;

-- The facts of a validation_failed problem: which value of the body (or of the query) has the fault, and the fault.
create or replace function wallet.build_fault(p_pointer text, p_detail text, p_in text default 'body') returns jsonb
language sql immutable as $$
  select pg_catalog.jsonb_build_object('errors', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
    'in', p_in, 'pointer', p_pointer, 'code', 'validation_failed', 'detail', p_detail)))
$$;
