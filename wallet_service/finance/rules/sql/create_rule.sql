-- Creates a rule, the last of its book, once for each key: {"status":"created"|"replayed","rule":{…}}. Safe to repeat. p_rule: {book_id,
-- name, match, conditions, actions, stop, active}, whose structure the service has checked, and what it names of the book: {labels:
-- {category: […], payee: […], tag: […]}, wallets: […]}.
create or replace function wallet_api.create_rule(p_rule_id uuid, p_client_id text, p_key text, p_request_hash text, p_rule jsonb,
  p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_most_rules constant integer := 1000;
  v_now constant timestamptz := wallet.clock();
  v_book_id constant uuid := p_rule ->> 'book_id';
  v_spent record;
  v_rule finance.rules;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_rule', p_rule_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","rule":' || v_spent.response || '}';
  end if;
  perform from finance.books b where b.book_id = v_book_id for no key update;
  select * into v_rule from finance.rules r where r.rule_id = p_rule_id;
  if not found then    -- else an earlier sending of this call created it
    if (select count(*) from finance.rules r where r.book_id = v_book_id) >= c_most_rules then
      perform wallet.refuse_call('rule_limit', jsonb_build_object('book_id', v_book_id, 'limit', c_most_rules));
    end if;
    v_rule := row(p_rule_id, v_book_id, (select coalesce(max(r.place), 0) + 1 from finance.rules r where r.book_id = v_book_id),
      p_rule ->> 'name', p_rule ->> 'match', p_rule -> 'conditions', p_rule -> 'actions', (p_rule ->> 'stop')::boolean,
      (p_rule ->> 'active')::boolean, finance.check_rule_names(v_book_id, p_rule), 1, v_now, v_now);
    perform finance.touch_rules(v_book_id, v_rule.active);
    insert into finance.rules select v_rule.*;
    perform finance.record_rule(p_caller, 'rule.created', null, v_rule);
  end if;
  v_answer := finance.format_rule(v_rule);
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return '{"status":"created","rule":' || v_answer || '}';
end $$;

-- Refuses a rule that names a label or wallet of another book. Returns its labels.
create or replace function finance.check_rule_names(p_book_id uuid, p_rule jsonb) returns uuid[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_named record;
  v_labels uuid[] := '{}';
begin
  for v_named in select k.key as kind, i.value::uuid as id
      from jsonb_each(p_rule -> 'labels') k, jsonb_array_elements_text(k.value) i loop
    v_labels := v_labels || (finance.find_label(v_named.id, p_book_id, v_named.kind)).label_id;
  end loop;
  select i.value::uuid as id into v_named from jsonb_array_elements_text(p_rule -> 'wallets') i
    where not exists (select from wallet.wallets w where w.wallet_id = i.value::uuid
      and finance.find_book_of_wallet(w.user_id, w.organization_id) = p_book_id) limit 1;
  if found then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', v_named.id));
  end if;
  return v_labels;
end $$;

-- Notes that a rule of a book changes; the book is locked. Call it before the change. Where p_activates the first active rule, what is
-- catalogued by now is not due: only the owner decides that rules change what was before them.
create or replace function finance.touch_rules(p_book_id uuid, p_activates boolean) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into finance.rule_lists as l (book_id, version) values (p_book_id, 1)
    on conflict (book_id) do update set version = l.version + 1;
  if p_activates and not exists (select from finance.rules r where r.book_id = p_book_id and r.active) then
    insert into finance.ruled as r (wallet_id, book_id, done_version)
      select k.wallet_id, k.book_id, k.done_version from finance.catalogued k where k.book_id = p_book_id
      on conflict (wallet_id) do update set done_version = greatest(r.done_version, excluded.done_version);
  end if;
end $$;

-- Records a change of a rule, or its creation or deletion where one of the two is null.
create or replace function finance.record_rule(p_caller jsonb, p_type text, p_before jsonb, p_after finance.rules) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_after constant jsonb := case when p_after.rule_id is not null then finance.format_rule(p_after)::jsonb end;
  v_rule constant jsonb := coalesce(v_after, p_before);
begin
  perform platform.record_change(p_caller, p_type, v_rule ->> 'rule_id', p_before, v_after,
    (select b.user_id from finance.books b where b.book_id = (v_rule ->> 'book_id')::uuid));
end $$;
