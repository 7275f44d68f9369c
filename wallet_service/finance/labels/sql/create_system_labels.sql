-- Gives a new book its categories (finance.complete_book). They are part of the book's creation, which is the event.
create or replace function finance.create_system_labels(p_book_id uuid) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_count integer;
begin
  with named as materialized (
    select s.*, row_number() over () as place from finance.list_system_categories() s
  ), numbered as materialized (    -- ids in the order of the list, which is that of pages
    select i.label_id, row_number() over (order by i.label_id) as place
    from (select wallet.new_id() as label_id from named) i
  ), labels as materialized (
    select n.*, m.label_id from named n join numbered m on m.place = n.place
  )
  insert into finance.labels (label_id, book_id, kind, name, parent_id, system_key, created_at, updated_at)
    select l.label_id, p_book_id, 'category', l.name, p.label_id, l.system_key, v_now, v_now
    from labels l left join labels p on p.system_key = l.parent_key;
  get diagnostics v_count = row_count;
  return jsonb_build_object('categories', v_count);
end $$;

-- The categories of a new book, parents first. Those without a parent are the roots, which say what their parts are. The service
-- itself books into opening_balance, not_counted, own_transfers, exchange, uncategorised_income and uncategorised_expense.
create or replace function finance.list_system_categories(out system_key text, out parent_key text, out name text)
returns setof record
language sql immutable set search_path = pg_catalog, pg_temp as $$
  values ('income', null, 'Income'), ('expense', null, 'Expense'), ('transfer', null, 'Transfer'),
    ('salary', 'income', 'Salary'), ('self_employment', 'income', 'Self-employment'), ('sales', 'income', 'Sales'),
    ('interest_received', 'income', 'Interest received'), ('dividends', 'income', 'Dividends'),
    ('rent_received', 'income', 'Rent received'), ('pension', 'income', 'Pension'), ('benefits', 'income', 'Benefits'),
    ('tax_refunds', 'income', 'Tax refunds'), ('gifts_received', 'income', 'Gifts received'),
    ('uncategorised_income', 'income', 'Uncategorised income'),
    ('housing', 'expense', 'Housing'), ('rent', 'housing', 'Rent'), ('mortgage_interest', 'housing', 'Mortgage interest'),
    ('utilities', 'housing', 'Utilities'), ('internet_and_phone', 'housing', 'Internet and phone'),
    ('household', 'housing', 'Household'), ('repairs', 'housing', 'Repairs'),
    ('food', 'expense', 'Food'), ('groceries', 'food', 'Groceries'), ('restaurants', 'food', 'Restaurants'),
    ('transport', 'expense', 'Transport'), ('fuel', 'transport', 'Fuel'), ('public_transport', 'transport', 'Public transport'),
    ('car', 'transport', 'Car'), ('parking', 'transport', 'Parking and tolls'),
    ('health', 'expense', 'Health'), ('medical', 'health', 'Medical'), ('sports', 'health', 'Sports'),
    ('personal_care', 'health', 'Personal care'),
    ('shopping', 'expense', 'Shopping'), ('clothing', 'shopping', 'Clothing'), ('electronics', 'shopping', 'Electronics'),
    ('furniture', 'shopping', 'Furniture'),
    ('leisure', 'expense', 'Leisure'), ('subscriptions', 'leisure', 'Subscriptions'), ('culture', 'leisure', 'Books and culture'),
    ('travel', 'leisure', 'Travel'),
    ('family', 'expense', 'Family'), ('childcare', 'family', 'Childcare'), ('education', 'family', 'Education'),
    ('pets', 'family', 'Pets'), ('gifts_and_donations', 'family', 'Gifts and donations'),
    ('finances', 'expense', 'Finances'), ('insurance', 'finances', 'Insurance'), ('taxes', 'finances', 'Taxes'),
    ('bank_fees', 'finances', 'Bank fees'), ('interest_paid', 'finances', 'Interest paid'),
    ('work', 'expense', 'Work'), ('software', 'work', 'Software'), ('office', 'work', 'Office'),
    ('uncategorised_expense', 'expense', 'Uncategorised expense'),
    ('own_transfers', 'transfer', 'Between own wallets'), ('exchange', 'transfer', 'Exchange of currencies'),
    ('loan_payments', 'transfer', 'Loan payments'), ('opening_balance', 'transfer', 'Opening balance'),
    ('not_counted', 'transfer', 'Not counted')
$$;
