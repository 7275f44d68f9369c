-- Writes the parts that came with postings, and forgets that they came. A part whose category was deleted meanwhile gets the default.
-- Given parts that don't sum to their entry, which the service refuses, give way to one by default.
create or replace function finance.write_given_parts(p_book finance.books, p_wallets uuid[], p_from bigint[], p_to bigint[])
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_parts finance.parts[];
  v_default finance.parts;
  v_given record;
  v_one finance.parts[];
  v_is_said boolean;
begin
  foreach v_default in array finance.list_default_parts(p_book, p_wallets, p_from, p_to, true) loop
    select t.transaction_id, t.leg, g.parts, c.exponent into strict v_given from wallet.wallet_transactions t
      join wallet.currencies c on c.code = t.currency
      join finance.posting_parts g on g.transaction_id = t.transaction_id and g.leg = t.leg
      where t.wallet_id = v_default.wallet_id and t.wallet_version = v_default.wallet_version;
    -- One part without labels says no more than the default does: rules may still label it.
    v_is_said := jsonb_array_length(v_given.parts) > 1
      or jsonb_path_exists(v_given.parts, '$[0] ? (@.category_id != null || @.payee_id != null || @.note != null || @.tag_ids.size() > 0)');
    v_one := array(select row(p_book.book_id, v_default.wallet_id, v_default.wallet_version, s.ordinality - 1, v_default.booked_on,
        wallet.read_balance(s.value ->> 'amount'), coalesce((s.value ->> 'category_id')::uuid, v_default.category_id),
        (s.value ->> 'payee_id')::uuid,
        array(select i.value::uuid from jsonb_array_elements_text(coalesce(nullif(s.value -> 'tag_ids', 'null'), '[]')) i),
        null, s.value ->> 'note', null, null, v_is_said, '')::finance.parts
      from jsonb_array_elements(v_given.parts) with ordinality s order by s.ordinality);
    if (select sum(o.amount) from unnest(v_one) o having bool_and(o.amount <> 0 and min_scale(o.amount) <= v_given.exponent))
        is distinct from v_default.amount then
      v_one := array[v_default];
    end if;
    v_parts := v_parts || v_one;
    delete from finance.posting_parts g where g.transaction_id = v_given.transaction_id and g.leg = v_given.leg;
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
