-- Writes the parts that came with postings, and forgets that they came. A part whose category was deleted meanwhile gets the default.
-- Given parts that don't sum to their entry, which the service refuses, give way to one by default.
create or replace function finance.write_given_parts(p_book finance.books, p_wallets uuid[], p_from bigint[], p_to bigint[])
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_parts finance.parts[];
  v_given record;
  v_entry wallet.wallet_transactions;
  v_amount numeric;
  v_one finance.parts[];
begin
  for v_given in select t as entry, g.parts, c.exponent
    from unnest(p_wallets, p_from, p_to) e (wallet_id, first, last)
      join wallet.wallet_transactions t on t.wallet_id = e.wallet_id and t.wallet_version > e.first and t.wallet_version <= e.last
      join wallet.currencies c on c.code = t.currency
      join finance.posting_parts g on g.transaction_id = t.transaction_id and g.leg = t.leg
    where t.original_transaction_id is null
  loop
    v_entry := v_given.entry;
    v_amount := case v_entry.direction when 'credit' then v_entry.amount else -v_entry.amount end;
    v_one := array(select row(p_book.book_id, v_entry.wallet_id, v_entry.wallet_version, s.ordinality - 1,
        finance.find_booking_day(v_entry.effective_at, p_book.time_zone), wallet.read_balance(s.value ->> 'amount'),
        (s.value ->> 'category_id')::uuid, (s.value ->> 'payee_id')::uuid,
        array(select i.value::uuid from jsonb_array_elements_text(coalesce(nullif(s.value -> 'tag_ids', 'null'), '[]')) i),
        null, s.value ->> 'note', null, null, true, '')::finance.parts
      from jsonb_array_elements(v_given.parts) with ordinality s order by s.ordinality);
    if (select sum(o.amount) from unnest(v_one) o having bool_and(o.amount <> 0 and min_scale(o.amount) <= v_given.exponent))
        is distinct from v_amount then
      v_one := array[row(p_book.book_id, v_entry.wallet_id, v_entry.wallet_version, 0,
        finance.find_booking_day(v_entry.effective_at, p_book.time_zone), v_amount, null, null, '{}', null, null, null, null, false,
        '')::finance.parts];
    end if;
    v_parts := v_parts || v_one;
    delete from finance.posting_parts g where g.transaction_id = v_entry.transaction_id and g.leg = v_entry.leg;
  end loop;
  perform finance.replace_parts(p_book.book_id, finance.mend_labels(p_book.book_id, v_parts), null, null);
end $$;

-- The parts with labels that the book has: a category that it lacks is the default one by the sign of the amount, and a payee or
-- tag that it lacks is left out.
create or replace function finance.mend_labels(p_book_id uuid, p_parts finance.parts[]) returns finance.parts[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_income constant uuid := finance.find_system_category(p_book_id, 'uncategorised_income');
  v_expense constant uuid := finance.find_system_category(p_book_id, 'uncategorised_expense');
begin
  return array(select row(n.book_id, n.wallet_id, n.wallet_version, n.part, n.booked_on, n.amount,
      coalesce(c.label_id, case when n.amount > 0 then v_income else v_expense end), p.label_id,
      array(select g.tag_id from unnest(n.tag_ids) with ordinality g (tag_id, place) join finance.labels l
        on l.label_id = g.tag_id and l.book_id = p_book_id and l.kind = 'tag' order by g.place),
      n.payment_method_id, n.note, n.pair_id, n.rule_id, n.edited, '')::finance.parts
    from unnest(p_parts) n
      left join finance.labels c on c.label_id = n.category_id and c.book_id = p_book_id and c.kind = 'category'
      left join finance.labels p on p.label_id = n.payee_id and p.book_id = p_book_id and p.kind = 'payee');
end $$;
