-- Refuses a call: SQLSTATE WL001, the problem's code as message, its facts as detail.
create or replace function wallet.refuse_call(p_code text, p_facts jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'WL001', message = p_code, detail = p_facts::text;
end $$;
