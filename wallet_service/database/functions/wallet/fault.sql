-- The facts of a validation_failed problem: which value, and what is wrong with it.
create or replace function wallet.fault(p_pointer text, p_detail text) returns jsonb
language sql immutable as $$
  select pg_catalog.jsonb_build_object('errors', pg_catalog.jsonb_build_array(
    pg_catalog.jsonb_build_object('pointer', p_pointer, 'code', 'validation_failed', 'detail', p_detail)))
$$;
