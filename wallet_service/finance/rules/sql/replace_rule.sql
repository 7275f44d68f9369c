-- Replaces a rule, whose place stays. p_rule: as of create_rule. p_version: the version that the caller read, or null. Returns it.
create or replace function wallet_api.replace_rule(p_rule_id uuid, p_book_id uuid, p_version bigint, p_rule jsonb, p_caller jsonb)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_old finance.rules := finance.lock_rule(p_rule_id, p_book_id, p_version);
  v_new finance.rules := v_old;
begin
  v_new.label_ids := finance.check_rule_names(p_book_id, p_rule);
  v_new.name := p_rule ->> 'name';
  v_new.match := p_rule ->> 'match';
  v_new.conditions := p_rule -> 'conditions';
  v_new.actions := p_rule -> 'actions';
  v_new.stop := (p_rule ->> 'stop')::boolean;
  v_new.active := (p_rule ->> 'active')::boolean;
  if v_new is not distinct from v_old then
    return finance.format_rule(v_old);
  end if;
  perform finance.touch_rules(p_book_id, v_new.active);
  update finance.rules r set name = v_new.name, match = v_new.match, conditions = v_new.conditions, actions = v_new.actions,
      stop = v_new.stop, active = v_new.active, label_ids = v_new.label_ids, version = r.version + 1, updated_at = wallet.clock()
    where r.rule_id = p_rule_id returning * into v_new;
  perform finance.record_rule(p_caller, 'rule.updated', finance.format_rule(v_old)::jsonb, v_new);
  return finance.format_rule(v_new);
end $$;

-- Deletes a rule. What it has set stays.
create or replace function wallet_api.delete_rule(p_rule_id uuid, p_book_id uuid, p_version bigint, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_rule finance.rules := finance.lock_rule(p_rule_id, p_book_id, p_version);
begin
  perform finance.touch_rules(p_book_id, false);
  delete from finance.rules r where r.rule_id = p_rule_id;
  perform finance.record_rule(p_caller, 'rule.deleted', finance.format_rule(v_rule)::jsonb, null);
  return 'true';
end $$;

-- Puts the rules of a book into an order: all of them, each once. Another list is refused: a rule was created or deleted meanwhile.
create or replace function wallet_api.order_rules(p_book_id uuid, p_rule_ids jsonb, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_new constant uuid[] := array(select i.value::uuid from jsonb_array_elements_text(p_rule_ids) with ordinality i order by i.ordinality);
  v_old uuid[];
begin
  perform wallet.require_read_committed();
  perform from finance.books b where b.book_id = p_book_id for no key update;
  v_old := array(select r.rule_id from finance.rules r where r.book_id = p_book_id order by r.place);
  if array(select n from unnest(v_new) n order by n) <> array(select o from unnest(v_old) o order by o) then
    perform wallet.refuse_call('rules_changed', jsonb_build_object('book_id', p_book_id, 'rules', cardinality(v_old)));
  elsif v_new <> v_old then
    perform finance.touch_rules(p_book_id, false);
    set constraints finance.rules_book_id_place_key deferred;
    update finance.rules r set place = n.place from unnest(v_new) with ordinality n (rule_id, place) where r.rule_id = n.rule_id;
    set constraints finance.rules_book_id_place_key immediate;
    perform platform.record_change(p_caller, 'rule_order.updated', p_book_id::text,
      jsonb_build_object('book_id', p_book_id, 'rule_ids', v_old), jsonb_build_object('book_id', p_book_id, 'rule_ids', v_new),
      (select b.user_id from finance.books b where b.book_id = p_book_id));
  end if;
  return jsonb_build_object('book_id', p_book_id, 'rule_ids', v_new)::text;
end $$;

-- Locks the rules of a book, then returns the rule. Refuses the call where the book has no such rule, or its version is not p_version
-- (null: any).
create or replace function finance.lock_rule(p_rule_id uuid, p_book_id uuid, p_version bigint) returns finance.rules
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_rule finance.rules;
begin
  perform wallet.require_read_committed();
  perform from finance.books b where b.book_id = p_book_id for no key update;
  v_rule := finance.find_rule(p_rule_id, p_book_id);
  if v_rule.version <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('rule_id', p_rule_id, 'version', v_rule.version));
  end if;
  return v_rule;
end $$;

-- How many rules name a label (finance.count_label_uses): {"rules"}.
create or replace function finance.count_rules_of_label(p_id uuid) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_build_object('rules', (select count(*) from finance.labels l join finance.rules r on r.book_id = l.book_id
    where l.label_id = p_id and p_id = any (r.label_ids)));
end $$;
