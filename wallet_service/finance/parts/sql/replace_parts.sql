-- The one writer of finance.parts and finance.day_sums. p_parts holds all parts of each entry that it names, as they are to be; book_id
-- and words are set here. The book is locked by the caller (select … for no key update), and the entries are catalogued: their
-- wallet's finance.catalogued row reaches them. Refuses the call where parts don't sum to their entry, or a label is not the book's.
-- p_run_id: the run that changes them (finance.start_run); null: they are written for the first time.
create or replace function finance.replace_parts(p_book_id uuid, p_parts finance.parts[], p_run_id uuid, p_caller jsonb) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_old finance.parts[] := '{}';
begin
  if coalesce(cardinality(p_parts), 0) = 0 then
    return;
  end if;
  perform finance.check_parts(p_book_id, p_parts);
  perform finance.check_part_labels(p_book_id, p_parts);
  if p_run_id is not null then
    with gone as (
      delete from finance.parts p using (select distinct n.wallet_id, n.wallet_version from unnest(p_parts) n) e
      where p.wallet_id = e.wallet_id and p.wallet_version = e.wallet_version returning p as part
    )
    select coalesce(array_agg(g.part order by (g.part).wallet_id, (g.part).wallet_version, (g.part).part), '{}') into v_old from gone g;
  end if;
  insert into finance.parts
    select p_book_id, n.wallet_id, n.wallet_version, n.part, n.booked_on, trim_scale(n.amount), n.category_id, n.payee_id,
      coalesce(n.tag_ids, '{}'), n.payment_method_id, n.note, n.pair_id, n.rule_id, coalesce(n.edited, false),
      finance.build_words(p_book_id, concat_ws(' ', n.note, t.description, t.reference))
    from unnest(p_parts) n join wallet.wallet_transactions t
      on t.wallet_id = n.wallet_id and t.wallet_version = n.wallet_version;
  perform finance.change_day_sums(p_book_id, v_old, p_parts);
  if p_run_id is not null then
    insert into finance.part_changes (book_id, run_id, wallet_id, wallet_version, before, after, who, at)
      select p_book_id, p_run_id, n.wallet_id, n.wallet_version, coalesce(o.parts, '[]'), n.parts,
        coalesce(p_caller ->> 'actor', 'service'), wallet.clock()
      from finance.format_part_states(p_parts) n left join finance.format_part_states(v_old) o using (wallet_id, wallet_version)
      where n.parts is distinct from o.parts order by n.wallet_id, n.wallet_version;
  end if;
end $$;

-- Refuses parts that are not whole entries of the book.
create or replace function finance.check_parts(p_book_id uuid, p_parts finance.parts[]) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_bad record;
begin
  select e.*, t.currency, c.exponent, case t.direction when 'credit' then t.amount else -t.amount end as entry,
      t.wallet_id is null or k.book_id is distinct from p_book_id or k.done_version < e.wallet_version as is_missing
    into v_bad
    from (select n.wallet_id, n.wallet_version, sum(n.amount) as total, max(min_scale(n.amount)) as scale,
        bool_and(n.amount <> 0 and n.booked_on between '0001-01-01' and '9999-12-31' and n.category_id is not null) as has_all,
        min(n.part) = 0 and max(n.part) = count(*) - 1 and count(distinct n.part) = count(*)
          and count(distinct n.booked_on) = 1 as is_numbered
      from unnest(p_parts) n group by n.wallet_id, n.wallet_version) e
    left join wallet.wallet_transactions t on t.wallet_id = e.wallet_id and t.wallet_version = e.wallet_version
    left join finance.catalogued k on k.wallet_id = e.wallet_id
    left join wallet.currencies c on c.code = t.currency
    where (t.wallet_id is not null and k.book_id = p_book_id and k.done_version >= e.wallet_version
      and e.total = case t.direction when 'credit' then t.amount else -t.amount end
      and e.scale <= c.exponent and e.has_all and e.is_numbered) is not true
    order by e.wallet_id, e.wallet_version limit 1;
  if not found then
    return;
  elsif v_bad.is_missing then
    perform wallet.refuse_call('entry_not_found', jsonb_build_object('wallet_id', v_bad.wallet_id, 'wallet_version', v_bad.wallet_version));
  elsif v_bad.scale > v_bad.exponent then
    perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', v_bad.currency, 'exponent', v_bad.exponent));
  elsif v_bad.total <> v_bad.entry then
    perform wallet.refuse_call('parts_unbalanced', jsonb_build_object('wallet_id', v_bad.wallet_id,
      'wallet_version', v_bad.wallet_version, 'amount', wallet.format_amount(v_bad.entry, v_bad.exponent),
      'sum', wallet.format_amount(v_bad.total, v_bad.exponent)));
  end if;
  raise exception 'parts of entry % of wallet % are not as finance.parts has them', v_bad.wallet_version, v_bad.wallet_id;
end $$;

-- Refuses parts with a label that the book does not have.
create or replace function finance.check_part_labels(p_book_id uuid, p_parts finance.parts[]) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_label_id uuid;
begin
  select u.label_id into v_label_id from (
      select 'category' as kind, n.category_id as label_id from unnest(p_parts) n
      union select 'payee', n.payee_id from unnest(p_parts) n where n.payee_id is not null
      union select 'tag', g.tag_id from unnest(p_parts) n, unnest(n.tag_ids) g (tag_id)) u
    where not exists (select from finance.labels l where l.label_id = u.label_id and l.book_id = p_book_id and l.kind = u.kind)
    order by u.label_id limit 1;
  if found then
    perform wallet.refuse_call('label_not_found', jsonb_build_object('label_id', v_label_id));
  end if;
end $$;

-- Takes parts out of the sums of their days, and others in.
create or replace function finance.change_day_sums(p_book_id uuid, p_old finance.parts[], p_new finance.parts[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into finance.day_sums as s (book_id, booked_on, category_id, wallet_id, parts, credits, debits)
    select p_book_id, c.booked_on, c.category_id, c.wallet_id, sum(c.sign),
      sum(case when c.amount > 0 then c.sign * c.amount else 0 end), sum(case when c.amount < 0 then -c.sign * c.amount else 0 end)
    from (select -1 as sign, o.booked_on, o.category_id, o.wallet_id, trim_scale(o.amount) as amount from unnest(p_old) o
      union all
      select 1, n.booked_on, n.category_id, n.wallet_id, trim_scale(n.amount) from unnest(p_new) n) c
    group by grouping sets ((c.booked_on, c.wallet_id, c.category_id), (c.booked_on, c.wallet_id))
    having sum(c.sign) <> 0 or sum(case when c.amount > 0 then c.sign * c.amount else 0 end) <> 0
      or sum(case when c.amount < 0 then c.sign * c.amount else 0 end) <> 0
    on conflict (book_id, booked_on, category_id, wallet_id) do update set parts = s.parts + excluded.parts,
      credits = s.credits + excluded.credits, debits = s.debits + excluded.debits;
  if cardinality(p_old) > 0 then
    delete from finance.day_sums s
      where s.book_id = p_book_id and s.booked_on = any (array(select distinct o.booked_on from unnest(p_old) o)) and s.parts = 0;
  end if;
end $$;

-- What a search finds a part by: the words of a text, and the book, so that the parts of other books are not read. Empty without text.
create or replace function finance.build_words(p_book_id uuid, p_text text) returns tsvector
language sql immutable as $$
  select case when p_text = '' then ''::tsvector
    else array_to_tsvector(array[p_book_id::text]) || to_tsvector('pg_catalog.simple'::regconfig, p_text) end
$$;

-- The parts of entries as their changes are kept: for each entry an array, in the order of the parts. Without pairs, which have rows
-- of their own.
create or replace function finance.format_part_states(p_parts finance.parts[], out wallet_id uuid, out wallet_version bigint,
  out parts jsonb) returns setof record
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return query select n.wallet_id, n.wallet_version, jsonb_agg(jsonb_build_object('booked_on', n.booked_on,
      'amount', trim_scale(n.amount)::text, 'category_id', n.category_id, 'payee_id', n.payee_id,
      'tag_ids', to_jsonb(coalesce(n.tag_ids, '{}')), 'payment_method_id', n.payment_method_id, 'note', n.note, 'rule_id', n.rule_id,
      'edited', coalesce(n.edited, false)) order by n.part)
    from unnest(p_parts) n group by n.wallet_id, n.wallet_version;
end $$;

-- The parts that a kept state of an entry describes; p_day: on this day instead.
create or replace function finance.read_part_state(p_book_id uuid, p_wallet_id uuid, p_version bigint, p_state jsonb, p_day date,
  p_pair_id uuid) returns finance.parts[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return array(select row(p_book_id, p_wallet_id, p_version, s.ordinality - 1, coalesce(p_day, (s.value ->> 'booked_on')::date),
      (s.value ->> 'amount')::numeric, (s.value ->> 'category_id')::uuid, (s.value ->> 'payee_id')::uuid,
      array(select t.value::uuid from jsonb_array_elements_text(s.value -> 'tag_ids') t), (s.value ->> 'payment_method_id')::uuid,
      s.value ->> 'note', p_pair_id, (s.value ->> 'rule_id')::uuid, (s.value ->> 'edited')::boolean, '')::finance.parts
    from jsonb_array_elements(p_state) with ordinality s order by s.ordinality);
end $$;

-- Makes a run, unless it is there: a run may be made in several calls.
create or replace function finance.start_run(p_run_id uuid, p_book_id uuid, p_kind text, p_caller jsonb) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into finance.runs (run_id, book_id, kind, actor, created_at)
    values (p_run_id, p_book_id, p_kind, coalesce(p_caller ->> 'actor', 'service'), wallet.clock()) on conflict do nothing;
  if not exists (select from finance.runs r where r.run_id = p_run_id and r.book_id = p_book_id and r.kind = p_kind) then
    raise exception 'run % is another one', p_run_id;
  end if;
end $$;
