-- The facts of a validation_failed problem with a member of the query: which, and what is wrong with it.
create or replace function wallet.query_fault(p_name text, p_detail text) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object('errors', jsonb_build_array(jsonb_build_object('in', 'query', 'pointer', '/' || p_name,
    'code', 'validation_failed', 'detail', p_detail)))
$$;
