-- A budget, with its book, by which the service decides who sees it.
create or replace function wallet_api.get_budget(p_budget_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return finance.format_budget(finance.find_budget(p_budget_id, null));
end $$;

-- A page of the budgets of a book, oldest first: a JSON array, and on a line of its own the id after which the next page begins.
create or replace function wallet_api.list_budgets(p_book_id uuid, p_after uuid, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_budgets finance.budgets[];
begin
  -- The row comparison keeps the planner from the primary key, in which the budgets of other books lie between.
  v_budgets := array(select b from finance.budgets b
    where b.book_id = p_book_id
      and (b.book_id, b.budget_id) > (p_book_id, coalesce(p_after, '00000000-0000-0000-0000-000000000000'))
    order by b.budget_id limit p_limit + 1);
  return '[' || coalesce((select string_agg(finance.format_budget(v_budgets[i]), ',' order by i)
      from generate_subscripts(v_budgets, 1) i where i <= p_limit), '') || E']\n'
    || case when array_length(v_budgets, 1) > p_limit then v_budgets[p_limit].budget_id::text else '' end;
end $$;

-- A budget of a book; p_book_id: null for any. Refuses the call if there is none.
create or replace function finance.find_budget(p_budget_id uuid, p_book_id uuid) returns finance.budgets
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_budget finance.budgets;
begin
  select * into v_budget from finance.budgets b
    where b.budget_id = p_budget_id and (p_book_id is null or b.book_id = p_book_id);
  if not found then
    perform wallet.refuse_call('budget_not_found', jsonb_build_object('budget_id', p_budget_id));
  end if;
  return v_budget;
end $$;

-- How many budgets name a label: finance.count_label_uses asks before one is deleted. The book is locked.
create or replace function finance.count_budgets_of_label(p_id uuid) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_build_object('budgets', (select count(*) from finance.budgets b
    where b.book_id = (select l.book_id from finance.labels l where l.label_id = p_id)
      and (p_id = any (b.category_ids)
        or exists (select from finance.budget_items i where i.budget_id = b.budget_id and i.category_id = p_id))));
end $$;
