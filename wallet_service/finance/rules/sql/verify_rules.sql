-- Checks rules, in one snapshot: those of p_limit books after p_after. Returns {checked, next, faults}.
create or replace function wallet_api.verify_rules(p_after uuid default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select l.book_id from finance.rule_lists l where p_after is null or l.book_id > p_after order by l.book_id limit least(p_limit, 1000)
  ), faults as (
    select 'rule labels' as name, r.rule_id as row from page p join finance.rules r on r.book_id = p.book_id
    where exists (select from unnest(r.label_ids) n (label_id)
        where not exists (select from finance.labels l where l.label_id = n.label_id and l.book_id = r.book_id))
      or not finance.list_rule_labels(r.actions) <@ r.label_ids
    union all
    select 'ruled entries', d.wallet_id from page p join finance.ruled d on d.book_id = p.book_id
      left join finance.catalogued k on k.wallet_id = d.wallet_id
    where k.book_id is distinct from d.book_id or k.done_version < d.done_version
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.book_id) from page p order by p.book_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', f.row)), '[]') from faults f)
  )::text);
end $$;

-- The labels that actions name.
create or replace function finance.list_rule_labels(p_actions jsonb) returns uuid[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg((f.value #>> '{}')::uuid), '{}') from (
    select jsonb_path_query(p_actions, '$.**.category_id') as value
    union all select jsonb_path_query(p_actions, '$.**.payee_id')
    union all select jsonb_path_query(p_actions, '$.**.add_tag_ids[*]')
    union all select jsonb_path_query(p_actions, '$.**.remove_tag_ids[*]')
  ) f where f.value <> 'null'
$$;
