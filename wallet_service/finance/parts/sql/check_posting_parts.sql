-- The parts that a movement or transfer brings with it (Room.posting_members): those of its first entry. Refuses them where they don't
-- sum to the entry, where a label is not of the book, and where the wallet has no book. What was good may be gone when the entry is
-- catalogued: then its defaults are taken.
create or replace function finance.check_posting_parts(p_operation wallet.operation, p_decision wallet.decision)
returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_entry constant wallet.wallet_transactions := p_decision.entries[1];
  v_parts constant jsonb := finance.complete_posting_parts(p_operation, v_entry);
  v_signed constant numeric := case v_entry.direction when 'credit' then v_entry.amount else -v_entry.amount end;
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = v_entry.currency);
  v_book_id uuid;
  v_label_id uuid;
begin
  select finance.find_book_of_wallet(w.user_id, w.organization_id) into v_book_id from wallet.wallets w
    where w.wallet_id = v_entry.wallet_id;
  if v_book_id is null then
    return wallet.build_refusal('book_not_found', jsonb_build_object('wallet_id', v_entry.wallet_id));
  elsif exists (select from jsonb_array_elements(v_parts) e where min_scale((e ->> 'amount')::numeric) > v_exponent) then
    return wallet.build_refusal('amount_precision', jsonb_build_object('currency', v_entry.currency, 'exponent', v_exponent));
  elsif (select sum((e ->> 'amount')::numeric) from jsonb_array_elements(v_parts) e) is distinct from v_signed then
    return wallet.build_refusal('parts_unbalanced', jsonb_build_object('wallet_id', v_entry.wallet_id,
      'amount', wallet.format_amount(v_signed, v_exponent),
      'sum', wallet.format_amount((select sum((e ->> 'amount')::numeric) from jsonb_array_elements(v_parts) e), v_exponent)));
  end if;
  select u.label_id into v_label_id from (
      select 'category' as kind, (e ->> 'category_id')::uuid as label_id from jsonb_array_elements(v_parts) e
      union select 'payee', (e ->> 'payee_id')::uuid from jsonb_array_elements(v_parts) e
      union select 'tag', t.id::uuid from jsonb_array_elements(v_parts) e, jsonb_array_elements_text(coalesce(e -> 'tag_ids', '[]')) t (id)) u
    where u.label_id is not null
      and not exists (select from finance.labels l where l.label_id = u.label_id and l.book_id = v_book_id and l.kind = u.kind)
    order by u.label_id limit 1;
  return case when v_label_id is not null then wallet.build_refusal('label_not_found', jsonb_build_object('label_id', v_label_id)) end;
end $$;

-- The parts of an operation, each with its amount: a single one may leave it out, and is the whole entry.
create or replace function finance.complete_posting_parts(p_operation wallet.operation, p_entry wallet.wallet_transactions) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_parts constant jsonb := p_operation.terms -> 'parts';
begin
  if jsonb_array_length(v_parts) = 1 and v_parts -> 0 ->> 'amount' is null then
    return jsonb_build_array(v_parts -> 0 || jsonb_build_object('amount',
      trim_scale(case p_entry.direction when 'credit' then p_entry.amount else -p_entry.amount end)::text));
  end if;
  return v_parts;
end $$;

-- Keeps the parts of a posting until its entry is catalogued.
create or replace function finance.write_posting_parts(p_operation wallet.operation, p_entries wallet.wallet_transactions[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into finance.posting_parts (transaction_id, leg, parts)
    values (p_entries[1].transaction_id, p_entries[1].leg, finance.complete_posting_parts(p_operation, p_entries[1]));
end $$;
