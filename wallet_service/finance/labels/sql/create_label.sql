-- Creates a label, once for each key: {"status":"created"|"replayed","label":{…}}. Safe to repeat. p_label: {book_id, kind, name,
-- parent_id, color, icon, tax_code}. A category has a parent; payees and tags may have one.
create or replace function wallet_api.create_label(p_label_id uuid, p_client_id text, p_key text, p_request_hash text, p_label jsonb,
  p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_book_id constant uuid := p_label ->> 'book_id';
  v_spent record;
  v_label finance.labels;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_label', p_label_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","label":' || v_spent.response || '}';
  end if;
  perform from finance.books b where b.book_id = v_book_id for no key update;
  select * into v_label from finance.labels l where l.label_id = p_label_id;
  if not found then    -- else an earlier sending of this call created it
    v_label := row(p_label_id, v_book_id, p_label ->> 'kind', p_label ->> 'name',
      finance.find_parent((p_label ->> 'parent_id')::uuid, v_book_id, p_label ->> 'kind'), null, p_label ->> 'color',
      p_label ->> 'icon', null, p_label ->> 'tax_code', null, 1, v_now, v_now);
    perform finance.check_label_name(v_label);
    insert into finance.labels select v_label.*;
    perform finance.check_label_place(v_label);
    perform finance.record_label(p_caller, 'label.created', null, v_label);
  end if;
  v_answer := finance.format_label(v_label);
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return '{"status":"created","label":' || v_answer || '}';
end $$;

-- The parent that a label gets: the one that stands for the label that the caller names. Null for none.
create or replace function finance.find_parent(p_parent_id uuid, p_book_id uuid, p_kind text) returns uuid
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_parent_id is null then
    if p_kind = 'category' then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/parent_id',
        'must be a category: the roots Income, Expense and Transfer say what its parts are'));
    end if;
    return null;
  end if;
  return (finance.find_label_path((finance.find_label(p_parent_id, p_book_id, p_kind)).label_id))[1];
end $$;

-- Refuses a name that another label under the same parent has. The book is locked.
create or replace function finance.check_label_name(p_label finance.labels) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_other uuid := (select l.label_id from finance.labels l where l.book_id = p_label.book_id and l.kind = p_label.kind
    and coalesce(l.parent_id, '00000000-0000-0000-0000-000000000000') = coalesce(p_label.parent_id, '00000000-0000-0000-0000-000000000000')
    and lower(l.name) = lower(p_label.name) and l.merged_into is null and l.label_id <> p_label.label_id);
begin
  if v_other is not null then
    perform wallet.refuse_call('label_exists', jsonb_build_object('label_id', v_other));
  end if;
end $$;

-- Records a change of a label, or its creation or deletion where one of the two is null.
create or replace function finance.record_label(p_caller jsonb, p_type text, p_before jsonb, p_after finance.labels) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_after constant jsonb := case when p_after.label_id is not null then finance.format_label(p_after)::jsonb end;
  v_label constant jsonb := coalesce(v_after, p_before);
  v_user_id text;
begin
  select b.user_id into v_user_id from finance.books b where b.book_id = (v_label ->> 'book_id')::uuid;
  perform platform.record_change(p_caller, p_type, v_label ->> 'label_id', p_before, v_after, v_user_id);
end $$;
