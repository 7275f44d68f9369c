-- The facts of a validation_failed problem: which value of the body (or the query), and what is wrong with it.
create or replace function wallet.build_fault(p_pointer text, p_detail text, p_in text default 'body') returns jsonb
language sql immutable as $$
  select pg_catalog.jsonb_build_object('errors', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
    'in', p_in, 'pointer', p_pointer, 'code', 'validation_failed', 'detail', p_detail)))
$$;
