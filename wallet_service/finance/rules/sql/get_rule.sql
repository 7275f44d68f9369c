-- A rule, with its book, by which the service decides who sees it.
create or replace function wallet_api.get_rule(p_rule_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return finance.format_rule(finance.find_rule(p_rule_id, null));
end $$;

-- A page of the rules of a book in their order: a JSON array, and on a line of its own the place after which the next page begins.
-- p_active: only those that are active (true) or are not (false), or all (null).
create or replace function wallet_api.list_rules(p_book_id uuid, p_active boolean, p_after integer, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_rules constant finance.rules[] := array(select r from finance.rules r
    where r.book_id = p_book_id and r.place > coalesce(p_after, 0) and (p_active is null or r.active = p_active)
    order by r.place limit p_limit + 1);
begin
  return '[' || coalesce((select string_agg(finance.format_rule(v_rules[i]), ',' order by i)
      from generate_subscripts(v_rules, 1) i where i <= p_limit), '') || E']\n'
    || case when array_length(v_rules, 1) > p_limit then v_rules[p_limit].place::text else '' end;
end $$;

-- A rule of a book; p_book_id: null for any. Refuses the call if there is none.
create or replace function finance.find_rule(p_rule_id uuid, p_book_id uuid) returns finance.rules
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_rule finance.rules;
begin
  select * into v_rule from finance.rules r where r.rule_id = p_rule_id and (p_book_id is null or r.book_id = p_book_id);
  if not found then
    perform wallet.refuse_call('rule_not_found', jsonb_build_object('rule_id', p_rule_id));
  end if;
  return v_rule;
end $$;

-- A rule as its readers see it.
create or replace function finance.format_rule(p_rule finance.rules) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_rule.rule_id, p_rule.book_id, p_rule.name, p_rule.match, p_rule.conditions,
    p_rule.actions, p_rule.stop, p_rule.active, p_rule.version, wallet.format_time(p_rule.created_at) as created_at,
    wallet.format_time(p_rule.updated_at) as updated_at) v);
end $$;
