-- A label of a kind, with its book, by which the service decides who sees it.
create or replace function wallet_api.get_label(p_label_id uuid, p_kind text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return finance.format_label(finance.find_label(p_label_id, null, p_kind));
end $$;

-- A page of the labels of a book, oldest first: a JSON array, and on a line of its own the id after which the next page begins. p_archived:
-- only those that are (true) or are not (false), or all (null). p_merged: the same of those that were merged. p_name: only those whose
-- name has this in it, whatever its capitals.
create or replace function wallet_api.list_labels(p_book_id uuid, p_kind text, p_archived boolean, p_merged boolean, p_name text,
  p_after uuid, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  c_first constant uuid := '00000000-0000-0000-0000-000000000000';
  v_labels finance.labels[];
begin
  -- The row comparison keeps the planner from the primary key, in which the labels of other books lie between.
  v_labels := array(select l from finance.labels l
    where l.book_id = p_book_id and l.kind = p_kind
      and (l.book_id, l.kind, l.label_id) > (p_book_id, p_kind, coalesce(p_after, c_first))
      and (p_archived is null or (l.archived_at is not null) = p_archived)
      and (p_merged is null or (l.merged_into is not null) = p_merged)
      and (p_name is null or position(lower(p_name) in lower(l.name)) > 0)
    order by l.label_id limit p_limit + 1);
  return '[' || coalesce((select string_agg(finance.format_label(v_labels[i]), ',' order by i)
      from generate_subscripts(v_labels, 1) i where i <= p_limit), '') || E']\n'
    || case when array_length(v_labels, 1) > p_limit then v_labels[p_limit].label_id::text else '' end;
end $$;

-- A label as its readers see it: merges are followed, so parent_id and merged_into are labels that stand for themselves.
create or replace function finance.format_label(p_label finance.labels) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_path constant uuid[] := finance.find_label_path(p_label.label_id);
  v_root text;
begin
  if p_label.kind = 'category' then
    select l.system_key into v_root from finance.labels l where l.label_id = v_path[cardinality(v_path)];
  end if;
  return (select row_to_json(v)::text from (select p_label.label_id, p_label.book_id, p_label.kind, p_label.name,
    case when p_label.merged_into is null then v_path[2] else (finance.find_label_path(p_label.parent_id))[1] end as parent_id,
    case when p_label.merged_into is not null then v_path[1] end as merged_into, v_root as root, p_label.color, p_label.icon,
    p_label.system_key, p_label.tax_code, wallet.format_time(p_label.archived_at) as archived_at, p_label.version,
    wallet.format_time(p_label.created_at) as created_at, wallet.format_time(p_label.updated_at) as updated_at) v);
end $$;
