-- An entry with its parts: {wallet_id, wallet_version, transaction_id, transaction_type, currency, amount (signed), booked_on,
-- effective_at, counter_account, reference, description, pair_id, etag, parts: [{part, amount, category_id, root, payee_id, tag_ids,
-- payment_method_id, note, rule_id, edited}]}. Labels are those that stand for the stored ones. Refuses the call with entry_not_found
-- where the book has no such entry, and with entry_pending where it is not catalogued yet.
create or replace function wallet_api.get_entry_parts(p_book_id uuid, p_wallet_id uuid, p_version bigint) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform finance.find_entry_parts(p_book_id, p_wallet_id, p_version);
  return finance.format_entry_parts(p_wallet_id, p_version);
end $$;

-- The parts of an entry of a book, in order.
create or replace function finance.find_entry_parts(p_book_id uuid, p_wallet_id uuid, p_version bigint) returns finance.parts[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_parts constant finance.parts[] := array(select p from finance.parts p
    where p.wallet_id = p_wallet_id and p.wallet_version = p_version and p.book_id = p_book_id order by p.part);
begin
  if cardinality(v_parts) > 0 then
    return v_parts;
  elsif exists (select from wallet.wallets w where w.wallet_id = p_wallet_id
      and finance.find_book_of_wallet(w.user_id, w.organization_id) = p_book_id and p_version between 1 and w.last_entry) then
    perform wallet.refuse_call('entry_pending', jsonb_build_object('wallet_id', p_wallet_id, 'wallet_version', p_version));
  end if;
  perform wallet.refuse_call('entry_not_found', jsonb_build_object('wallet_id', p_wallet_id, 'wallet_version', p_version));
  return v_parts;
end $$;

-- A catalogued entry with its parts, as get_entry_parts returns it.
create or replace function finance.format_entry_parts(p_wallet_id uuid, p_version bigint) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_parts constant finance.parts[] := array(select p from finance.parts p
    where p.wallet_id = p_wallet_id and p.wallet_version = p_version order by p.part);
begin
  return (select row_to_json(v)::text from (select t.wallet_id, t.wallet_version, t.transaction_id, t.transaction_type, t.currency,
      wallet.format_amount(case t.direction when 'credit' then t.amount else -t.amount end, c.exponent) as amount,
      v_parts[1].booked_on, wallet.format_time(t.effective_at) as effective_at, t.counter_account, t.reference, t.description,
      v_parts[1].pair_id, finance.build_parts_etag(v_parts) as etag,
      (select json_agg(finance.format_part(p, c.exponent) order by p.part) from unnest(v_parts) p) as parts
    from wallet.wallet_transactions t join wallet.currencies c on c.code = t.currency
    where t.wallet_id = p_wallet_id and t.wallet_version = p_version) v);
end $$;

-- What is to be said of a part beside its entry.
create or replace function finance.format_part(p_part finance.parts, p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_path constant uuid[] := finance.find_label_path(p_part.category_id);
begin
  return (select row_to_json(v) from (select p_part.part, wallet.format_amount(p_part.amount, p_exponent) as amount,
    v_path[1] as category_id, (select l.system_key from finance.labels l where l.label_id = v_path[cardinality(v_path)]) as root,
    case when p_part.payee_id is not null then (finance.find_label_path(p_part.payee_id))[1] end as payee_id,
    case when p_part.tag_ids = '{}' then p_part.tag_ids else array(select s.tag_id from (select (finance.find_label_path(g.tag_id))[1] as tag_id, g.place
      from unnest(p_part.tag_ids) with ordinality g (tag_id, place)) s group by s.tag_id order by min(s.place)) end as tag_ids,
    p_part.payment_method_id, p_part.note, p_part.rule_id, p_part.edited) v);
end $$;

-- What changes when the parts of an entry do.
create or replace function finance.build_parts_etag(p_parts finance.parts[]) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select left(md5(s.parts::text || coalesce(p_parts[1].pair_id::text, '')), 16) from finance.format_part_states(p_parts) s);
end $$;
