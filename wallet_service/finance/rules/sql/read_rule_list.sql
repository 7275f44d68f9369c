-- The rules of a book that are to be applied, in their order, with the labels that stand for others: {"version","rules","merged","below"}.
-- p_rule_ids: these, active or not; null: those that are active. rules is null where the list has the version p_known.
create or replace function wallet_api.read_rule_list(p_book_id uuid, p_rule_ids jsonb) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ids constant uuid[] := case when p_rule_ids is not null then array(select i.value::uuid from jsonb_array_elements_text(p_rule_ids) i) end;
  v_id uuid;
begin
  foreach v_id in array coalesce(v_ids, '{}') loop
    perform finance.find_rule(v_id, p_book_id);
  end loop;
  return finance.find_rule_list(p_book_id, v_ids, null)::text;
end $$;

-- As wallet_api.read_rule_list; p_rule_ids: null for the active ones. Without the rules where the list is of the version p_known.
create or replace function finance.find_rule_list(p_book_id uuid, p_rule_ids uuid[], p_known bigint) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_version constant bigint := coalesce((select l.version from finance.rule_lists l where l.book_id = p_book_id), 0);
  v_rules jsonb;
  v_under uuid[];
begin
  select coalesce(jsonb_agg(finance.format_rule(r)::jsonb order by r.place), '[]') into v_rules from finance.rules r
    where r.book_id = p_book_id and case when p_rule_ids is null then r.active else r.rule_id = any (p_rule_ids) end
      and v_version is distinct from p_known;
  v_under := array(select (c.value ->> 'value')::uuid from finance.rules r, jsonb_array_elements(r.conditions) c
    where r.book_id = p_book_id and c.value ->> 'op' in ('under', 'not_under'));
  return jsonb_build_object('version', v_version, 'rules', case when v_version is distinct from p_known then v_rules end)
    || finance.read_label_links(p_book_id, v_under);
end $$;

-- The labels of a book that stand for others, {"merged": {label: the one that stands for it}}, and what is under some, themselves
-- included: {"below": {label: [labels that stand for themselves]}}.
create or replace function finance.read_label_links(p_book_id uuid, p_under uuid[]) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_merged jsonb;
  v_below jsonb := '{}';
begin
  select coalesce(jsonb_object_agg(l.label_id, (finance.find_label_path(l.label_id))[1]), '{}') into v_merged
    from finance.labels l where l.book_id = p_book_id and l.merged_into is not null;
  if cardinality(p_under) > 0 then
    with paths as materialized (
      select l.label_id, finance.find_label_path(l.label_id) as path from finance.labels l
      where l.book_id = p_book_id and l.kind = 'category' and l.merged_into is null
    )
    select jsonb_object_agg(u.label_id, (select coalesce(jsonb_agg(p.label_id), '[]') from paths p
        where (finance.find_label_path(u.label_id))[1] = any (p.path))) into v_below
      from (select distinct n.label_id from unnest(p_under) n (label_id)) u;
  end if;
  return jsonb_build_object('merged', v_merged, 'below', v_below);
end $$;

-- Checks a rule that is only tried: refuses labels and wallets of other books. p_rule: as of create_rule; p_under: labels. Returns
-- finance.read_label_links.
create or replace function wallet_api.read_rule_links(p_book_id uuid, p_rule jsonb, p_under jsonb) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform finance.check_rule_names(p_book_id, p_rule);
  return finance.read_label_links(p_book_id, array(select i.value::uuid from jsonb_array_elements_text(p_under) i))::text;
end $$;
