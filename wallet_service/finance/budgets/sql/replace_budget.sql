-- Sets all that a caller sets of a budget; p_budget as of wallet_api.create_budget. p_version: the version that the caller read, or null.
-- Returns it. A higher amount re-arms the tiers that are reached no more.
create or replace function wallet_api.replace_budget(p_budget_id uuid, p_book_id uuid, p_version bigint, p_budget jsonb, p_caller jsonb)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books := finance.lock_budgets(p_book_id);
  v_old constant finance.budgets := finance.find_budget_version(p_budget_id, p_book_id, p_version);
  v_before constant text := finance.format_budget(v_old);
  v_new finance.budgets := finance.read_budget(p_budget, v_book, p_budget_id);
begin
  v_new.watched_from := v_old.watched_from;
  v_new.checked_on := v_old.checked_on;
  v_new.version := v_old.version;
  v_new.created_at := v_old.created_at;
  v_new.updated_at := v_old.updated_at;
  perform finance.write_budget_items(v_new, p_budget -> 'items');
  if finance.format_budget(v_new) = v_before then
    return v_before;
  end if;
  update finance.budgets b set name = v_new.name, amount = v_new.amount, currency = v_new.currency, period = v_new.period,
      start_date = v_new.start_date, end_date = v_new.end_date, wallet_ids = v_new.wallet_ids, category_ids = v_new.category_ids,
      carry = v_new.carry, carry_cap = v_new.carry_cap, prorate = v_new.prorate, tiers = v_new.tiers, version = b.version + 1,
      updated_at = wallet.clock()
    where b.budget_id = p_budget_id returning * into v_new;
  if v_new.amount > v_old.amount then
    perform finance.rearm_budget(v_new, v_book);
  end if;
  perform platform.record_change(p_caller, 'budget.updated', p_budget_id::text, v_before::jsonb, finance.format_budget(v_new)::jsonb,
    v_book.user_id);
  return finance.format_budget(v_new);
end $$;

-- Deletes a budget with its alerts. p_version: as of replace_budget.
create or replace function wallet_api.delete_budget(p_budget_id uuid, p_book_id uuid, p_version bigint, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book constant finance.books := finance.lock_budgets(p_book_id);
  v_budget constant finance.budgets := finance.find_budget_version(p_budget_id, p_book_id, p_version);
  v_before constant jsonb := finance.format_budget(v_budget)::jsonb;
begin
  delete from finance.budgets b where b.budget_id = p_budget_id;
  perform platform.record_change(p_caller, 'budget.deleted', p_budget_id::text, v_before, null, v_book.user_id);
  return 'true';
end $$;

-- Locks the budgets of a book and the labels that they name, by its row. Returns the book.
create or replace function finance.lock_budgets(p_book_id uuid) returns finance.books
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_book finance.books;
begin
  perform wallet.require_read_committed();
  select * into v_book from finance.books b where b.book_id = p_book_id for no key update;
  if not found then
    perform wallet.refuse_call('book_not_found', jsonb_build_object('book_id', p_book_id));
  end if;
  return v_book;
end $$;

-- A budget of a book that is locked. Refuses the call if there is none, or its version is not p_version (null: any).
create or replace function finance.find_budget_version(p_budget_id uuid, p_book_id uuid, p_version bigint) returns finance.budgets
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_budget constant finance.budgets := finance.find_budget(p_budget_id, p_book_id);
begin
  if v_budget.version <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('budget_id', p_budget_id, 'version', v_budget.version));
  end if;
  return v_budget;
end $$;

-- Lets tiers of a budget be reached again that its figures, after a higher amount, do not reach any more.
create or replace function finance.rearm_budget(p_budget finance.budgets, p_book finance.books) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant timestamptz := wallet.clock();
begin
  update finance.budget_alerts a set rearmed_at = v_now
    from finance.find_budget_figures(p_book, array[p_budget], finance.find_book_day(v_now, p_book.time_zone), p_budget.watched_from) f
    where a.budget_id = p_budget.budget_id and a.first_day = f.first_day and a.rearmed_at is null
      and not finance.is_tier_reached(a.tier, f.spent, f.amount + f.carry);
end $$;
