-- Checks the trees of labels, in one snapshot: those of p_limit books after p_after. Returns {checked, next, faults}.
create or replace function wallet_api.verify_labels(p_after uuid default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select b.book_id from finance.books b where p_after is null or b.book_id > p_after order by b.book_id limit least(p_limit, 1000)
  ), seen as materialized (
    select l.label_id, l.kind, l.parent_id, l.system_key, finance.find_label_path(l.label_id) as path
    from page p join finance.labels l on l.book_id = p.book_id
  ), faults as (
    select s.label_id, f.name from seen s, lateral (values
      ('label circle', s.path is not null),
      ('label depth', s.path is null or cardinality(s.path) <= 6),
      ('label root', s.kind <> 'category' or s.path is null or exists (select from finance.labels r
        where r.label_id = s.path[cardinality(s.path)] and r.system_key in ('income', 'expense', 'transfer')))
    ) as f (name, holds) where not f.holds
    union all
    select p.book_id, 'label roots' from page p where (select count(*) from finance.labels l where l.book_id = p.book_id
      and l.kind = 'category' and l.parent_id is null and l.merged_into is null
      and l.system_key in ('income', 'expense', 'transfer')) <> 3
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.book_id) from page p order by p.book_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', f.label_id)), '[]') from faults f)
  )::text);
end $$;
