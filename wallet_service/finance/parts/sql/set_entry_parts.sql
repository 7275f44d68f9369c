-- Changes the parts of an entry. p_change: {"etag" (of the parts that the caller saw; absent: any), "booked_on" (absent: as it is), and
-- either "parts": all of them, [{"amount" (text, signed; one part needs none), "category_id" (null: the default one), "payee_id",
-- "tag_ids", "note"}], or
-- "changes": {"category_id", "payee_id", "tag_ids", "note"} (those that change) of the part "part" (absent: of each)}. What a person
-- says of a part makes it edited; a moved day does not. Returns get_entry_parts with "run_id": the run by which it can be taken back,
-- null where nothing changed.
create or replace function wallet_api.set_entry_parts(p_book_id uuid, p_wallet_id uuid, p_version bigint, p_change jsonb,
  p_run_id uuid, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books := finance.lock_book(p_book_id);
  v_changed boolean;
begin
  v_changed := finance.edit_entry(v_book, p_wallet_id, p_version, p_change, p_run_id, 'edit', p_caller);
  return (finance.format_entry_parts(p_wallet_id, p_version)::jsonb
    || jsonb_build_object('run_id', case when v_changed then p_run_id end))::text;
end $$;

-- Changes parts of up to 500 entries in one run, at most 2,000 parts together: the book stays locked meanwhile. p_items: an
-- array of p_change of set_entry_parts with "wallet_id" and "wallet_version". An outcome for each, in order: {"run_id","items":[{"status":"changed"|"unchanged"|"refused","code","facts","entry"}]}.
create or replace function wallet_api.edit_parts(p_book_id uuid, p_items jsonb, p_run_id uuid, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books := finance.lock_book(p_book_id);
  v_item jsonb;
  v_changed boolean;
  v_any boolean := false;
  v_code text;
  v_facts text;
  v_outcomes text[] := '{}';
begin
  perform finance.check_bulk(p_items);
  for v_item in select i.value from jsonb_array_elements(p_items) i loop
    begin
      v_changed := finance.edit_entry(v_book, (v_item ->> 'wallet_id')::uuid, (v_item ->> 'wallet_version')::bigint,
        v_item - 'wallet_id' - 'wallet_version', p_run_id, 'bulk', p_caller);
      v_any := v_any or v_changed;
      v_outcomes := v_outcomes || ('{"status":"' || case when v_changed then 'changed' else 'unchanged' end || '","entry":'
        || finance.format_entry_parts((v_item ->> 'wallet_id')::uuid, (v_item ->> 'wallet_version')::bigint) || '}');
    exception when sqlstate 'WL001' then
      get stacked diagnostics v_code = message_text, v_facts = pg_exception_detail;
      v_outcomes := v_outcomes || json_build_object('status', 'refused', 'code', v_code, 'facts', v_facts::json)::text;
    end;
  end loop;
  return '{"run_id":' || case when v_any then '"' || p_run_id || '"' else 'null' end || ',"items":['
    || array_to_string(v_outcomes, ',') || ']}';
end $$;

-- Refuses changes of more parts than one call may write: of an entry, those that it is given or has.
create or replace function finance.check_bulk(p_items jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_parts constant integer := 2000;
begin
  if (select sum(greatest(case jsonb_typeof(i.value -> 'parts') when 'array' then jsonb_array_length(i.value -> 'parts') end,
      (select count(*) from finance.parts p where p.wallet_id = (i.value ->> 'wallet_id')::uuid
        and p.wallet_version = (i.value ->> 'wallet_version')::bigint))) from jsonb_array_elements(p_items) i) > c_most_parts then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/changes', 'have more than ' || c_most_parts
      || ' parts together: send fewer in a request'));
  end if;
end $$;

-- Locks a book for a change of its parts, and returns it.
create or replace function finance.lock_book(p_book_id uuid) returns finance.books
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

-- Changes the parts of an entry of a locked book. Returns whether anything changed.
create or replace function finance.edit_entry(p_book finance.books, p_wallet_id uuid, p_version bigint, p_change jsonb,
  p_run_id uuid, p_kind text, p_caller jsonb) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_old finance.parts[];
  v_new finance.parts[];
  v_day date;
  v_before jsonb;
  v_after jsonb;
  v_user_id text;
begin
  if not exists (select from finance.catalogued k where k.wallet_id = p_wallet_id and k.done_version >= p_version) then
    perform finance.catalogue_entries(p_book, 2000);
  end if;
  v_old := finance.find_entry_parts(p_book.book_id, p_wallet_id, p_version);
  if p_change ->> 'etag' <> finance.build_parts_etag(v_old) then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('wallet_id', p_wallet_id, 'wallet_version', p_version,
      'etag', finance.build_parts_etag(v_old)));
  end if;
  v_day := coalesce((p_change ->> 'booked_on')::date, v_old[1].booked_on);
  if v_day not between '0001-01-01' and '9999-12-31' then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/booked_on', 'must be a day of the years 1 to 9999'));
  end if;
  v_new := case when p_change ? 'parts' then finance.read_parts(p_book.book_id, v_old, p_change -> 'parts')
    else finance.change_parts(v_old, p_change) end;
  v_new := array(select row(n.book_id, n.wallet_id, n.wallet_version, n.part, v_day, n.amount, n.category_id, n.payee_id, n.tag_ids,
    n.payment_method_id, n.note, n.pair_id, n.rule_id, n.edited, '')::finance.parts from unnest(v_new) n order by n.part);
  v_before := (finance.format_part_states(v_old)).parts;
  v_after := (finance.format_part_states(v_new)).parts;
  if v_before = v_after then
    return false;
  end if;
  perform finance.start_run(p_run_id, p_book.book_id, p_kind, p_caller);
  perform finance.replace_parts(p_book.book_id, v_new, p_run_id, p_caller);
  select w.user_id into v_user_id from wallet.wallets w where w.wallet_id = p_wallet_id;
  perform platform.record_change(p_caller, 'parts.updated', p_wallet_id || '/' || p_version,
    jsonb_build_object('book_id', p_book.book_id, 'wallet_id', p_wallet_id, 'wallet_version', p_version, 'parts', v_before),
    jsonb_build_object('book_id', p_book.book_id, 'wallet_id', p_wallet_id, 'wallet_version', p_version, 'parts', v_after),
    v_user_id, p_wallet_id);
  return true;
end $$;

-- The parts that a caller wants an entry to have, in place of p_old.
create or replace function finance.read_parts(p_book_id uuid, p_old finance.parts[], p_parts jsonb) returns finance.parts[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_parts constant integer := 100;
  v_bad integer;
begin
  if jsonb_typeof(p_parts) is distinct from 'array' or jsonb_array_length(p_parts) not between 1 and c_most_parts then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/parts', 'must be 1 to ' || c_most_parts || ' parts'));
  end if;
  if jsonb_array_length(p_parts) = 1 and nullif(p_parts -> 0 -> 'amount', 'null') is null then    -- the whole entry
    p_parts := jsonb_set(p_parts, '{0,amount}', to_jsonb((select sum(o.amount) from unnest(p_old) o)::text));
  end if;
  select s.ordinality - 1 into v_bad from jsonb_array_elements(p_parts) with ordinality s
    where coalesce(wallet.read_balance(s.value ->> 'amount'), 0) = 0 order by s.ordinality limit 1;
  if found then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/parts/' || v_bad || '/amount',
      'must be a decimal number other than 0, negative where money leaves the wallet'));
  end if;
  return array(select row(p_book_id, p_old[1].wallet_id, p_old[1].wallet_version, s.ordinality - 1, p_old[1].booked_on,
      wallet.read_balance(s.value ->> 'amount'), coalesce((s.value ->> 'category_id')::uuid, finance.find_system_category(p_book_id,
        case when left(s.value ->> 'amount', 1) = '-' then 'uncategorised_expense' else 'uncategorised_income' end)),
      (s.value ->> 'payee_id')::uuid,
      array(select i.value::uuid from jsonb_array_elements_text(coalesce(nullif(s.value -> 'tag_ids', 'null'), '[]')) i),
      null, s.value ->> 'note', p_old[1].pair_id, null, true, '')::finance.parts
    from jsonb_array_elements(p_parts) with ordinality s order by s.ordinality);
end $$;

-- The parts with what a caller changes in one of them, or in each.
create or replace function finance.change_parts(p_old finance.parts[], p_change jsonb) returns finance.parts[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_part constant integer := (p_change ->> 'part')::integer;
  v_changes constant jsonb := coalesce(p_change -> 'changes', '{}');
begin
  if v_part is not null and v_part not between 0 and cardinality(p_old) - 1 then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/part', 'must be the number of a part of the entry'));
  end if;
  return array(select case when v_changes = '{}' or v_part <> o.part then o else row(o.book_id, o.wallet_id, o.wallet_version, o.part,
      o.booked_on, o.amount, coalesce((v_changes ->> 'category_id')::uuid, o.category_id),
      case when v_changes ? 'payee_id' then (v_changes ->> 'payee_id')::uuid else o.payee_id end,
      case when v_changes ? 'tag_ids' then array(select i.value::uuid
        from jsonb_array_elements_text(coalesce(nullif(v_changes -> 'tag_ids', 'null'), '[]')) i) else o.tag_ids end,
      o.payment_method_id, case when v_changes ? 'note' then v_changes ->> 'note' else o.note end, o.pair_id, null, true,
      '')::finance.parts end
    from unnest(p_old) o order by o.part);
end $$;
