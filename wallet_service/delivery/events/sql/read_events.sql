-- A page of events, oldest first, as lines. The first line is {after, more, oldest, latest}: the number to continue after, whether
-- there are events after it at present, and the numbers of the oldest and the newest event that are kept (oldest is latest + 1 if
-- there is none). Each event is three lines: [number, id, type, time, subject, wallet_id, wallet_version, user_id, organization_id];
-- its data; and its data as the user sees it who owns the wallet, empty where that is the same.
--
-- p_after: a number; null begins with the oldest event. p_types: an array of types. p_wallet_id: only events of this wallet.
-- p_user_id: only those of wallets of this user. p_wallet_ids: only those of these wallets. p_organization_id: only those of wallets
-- of this organization. A page may be short, even empty, and not be the last: a call reads about 10,000 events, and returns about
-- 768 KiB.
create or replace function wallet_api.read_events(p_after bigint default null, p_limit integer default 100,
  p_types jsonb default null, p_wallet_id uuid default null, p_user_id text default null, p_wallet_ids jsonb default null,
  p_organization_id text default null) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  c_most_bytes constant integer := 786432;
  v_state delivery.numbering;
  v_after bigint;
  v_upto bigint;
  v_numbers bigint[];
begin
  select * into v_state from delivery.numbering;
  v_after := coalesce(p_after, v_state.oldest_number - 1);
  if v_after > v_state.last_number then
    perform wallet.refuse_call('validation_failed', jsonb_set(wallet.build_fault('/after', 'names an event that does not exist',
      'query'), '{errors,0,code}', '"cursor_invalid"'));
  elsif v_after < v_state.oldest_number - 1 then
    perform wallet.refuse_call('cursor_expired', jsonb_build_object('oldest_number', v_state.oldest_number));
  elsif p_wallet_id is not null and not exists (select from wallet.wallets w where w.wallet_id = p_wallet_id
      and (p_user_id is null or w.user_id = p_user_id)) then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  select f.numbers, f.upto into v_numbers, v_upto from delivery.find_events(v_after, v_state.last_number,
    least(greatest(p_limit, 1), 1000), p_types, p_wallet_id, p_user_id, p_wallet_ids, p_organization_id) f;
  return (
    with shown as materialized (
      select n.number, s.facts, s.data, s.owner_data from unnest(v_numbers) as n (number)
        cross join lateral delivery.show_event(n.number) s
    ), page as materialized (
      select m.* from (select s.*, sum(octet_length(s.facts) + octet_length(s.data) + octet_length(s.owner_data))
        over (order by s.number) as bytes from shown s) m
      where m.bytes <= c_most_bytes or m.number = v_numbers[1]
    ), place as (
      select case when (select count(*) from page) < cardinality(v_numbers) then (select max(p.number) from page p) else v_upto end
        as after
    )
    select json_build_object('after', p.after, 'more', p.after < v_state.last_number, 'oldest', v_state.oldest_number,
        'latest', v_state.last_number)::text
      || coalesce((select string_agg(E'\n' || g.facts || E'\n' || g.data || E'\n' || g.owner_data, '' order by g.number) from page g), '')
    from place p);
end $$;

-- The numbers of at most p_limit events after p_after that a reader wants, and the number up to which no other is wanted.
create or replace function delivery.find_events(p_after bigint, p_last bigint, p_limit integer, p_types jsonb, p_wallet_id uuid,
  p_user_id text, p_wallet_ids jsonb, p_organization_id text, out numbers bigint[], out upto bigint)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_read constant integer := 10000;
  v_candidates bigint[];
begin
  if num_nonnulls(p_wallet_id, p_wallet_ids, p_user_id) > 0 then
    select f.numbers, f.upto into v_candidates, upto from delivery.find_wallet_events(p_after, p_last,
      case when num_nonnulls(p_types, p_organization_id) > 0 or num_nonnulls(p_wallet_id, p_wallet_ids, p_user_id) > 1
        then c_most_read else p_limit end, p_wallet_id, p_user_id, p_wallet_ids) f;
  else
    upto := least(p_last, p_after + c_most_read);
    v_candidates := array(select e.number from delivery.events e where e.number > p_after and e.number <= upto
        and (p_types is null or p_types ? coalesce(e.event_type, 'transaction.posted'))
      order by e.number limit case when p_organization_id is null then p_limit end);
  end if;
  numbers := array(
    select e.number from unnest(v_candidates) as c (number)
      cross join lateral (select e.* from delivery.events e where e.number = c.number offset 0) e
      left join lateral (select w.* from wallet.wallets w where w.wallet_id = e.wallet_id offset 0) w on true
    where (p_types is null or p_types ? coalesce(e.event_type, 'transaction.posted'))
      and (p_user_id is null or w.user_id = p_user_id)
      and (p_wallet_ids is null or p_wallet_ids ? e.wallet_id::text)
      and (p_organization_id is null or w.organization_id = p_organization_id)
    order by e.number limit p_limit);
  if cardinality(numbers) = p_limit then
    upto := numbers[p_limit];
  end if;
end $$;

-- The numbers of the next events of some wallets, at most p_most of each wallet and about 10,000 together, and the number up to
-- which no other event of these wallets exists. The wallets: p_wallet_id, else p_wallet_ids, else those of the user.
create or replace function delivery.find_wallet_events(p_after bigint, p_last bigint, p_most integer, p_wallet_id uuid,
  p_user_id text, p_wallet_ids jsonb, out numbers bigint[], out upto bigint)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_read constant integer := 10000;
  v_wallet_ids uuid[] := case when p_wallet_id is not null then array[p_wallet_id] end;
  v_most integer;
begin
  if p_wallet_id is null and p_wallet_ids is not null then
    v_wallet_ids := array(select w.id::uuid from jsonb_array_elements_text(p_wallet_ids) as w (id));
  elsif p_wallet_id is null then
    v_wallet_ids := array(select w.wallet_id from wallet.wallets w where w.user_id = p_user_id);
  end if;
  v_most := greatest(1, least(p_most, c_most_read / greatest(cardinality(v_wallet_ids), 1)));
  with parts as materialized (
    select f.numbers from unnest(v_wallet_ids) as w (wallet_id) cross join lateral (
      select array_agg(e.number order by e.number) as numbers from (select e.number from delivery.events e
        where e.wallet_id = w.wallet_id and e.number > p_after and e.number <= p_last order by e.number limit v_most) e) f
  )
  select least(p_last, min(p.numbers[v_most])) into upto from parts p;
  numbers := array(select n.number from unnest(v_wallet_ids) as w (wallet_id) cross join lateral (
      select e.number from delivery.events e
      where e.wallet_id = w.wallet_id and e.number > p_after and e.number <= upto order by e.number limit v_most) n
    order by n.number);
end $$;

-- An event in its parts; wallet_api.read_events describes them.
create or replace function delivery.show_event(p_number bigint, out facts text, out data text, out owner_data text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_event delivery.events;
  v_entry wallet.wallet_transactions;
  v_exponent integer;
  v_organization_id text;
begin
  select * into v_event from delivery.events e where e.number = p_number;
  if v_event.wallet_id is not null then
    select w.organization_id, c.exponent into v_organization_id, v_exponent
      from wallet.wallets w join wallet.currencies c on c.code = w.currency where w.wallet_id = v_event.wallet_id;
  end if;
  owner_data := '';
  if v_event.wallet_version is null then
    facts := json_build_array(p_number, v_event.event_id, v_event.event_type, wallet.format_time(v_event.occurred_at),
      v_event.object_id, v_event.wallet_id, null, v_event.user_id, v_organization_id)::text;
    data := json_build_object('before', v_event.before, 'after', v_event.after)::text;
    return;
  end if;
  select * into v_entry from wallet.wallet_transactions t
    where t.wallet_id = v_event.wallet_id and t.wallet_version = v_event.wallet_version;
  facts := json_build_array(p_number, delivery.identify_entry(v_entry.transaction_id, v_entry.leg), 'transaction.posted',
    wallet.format_time(v_entry.created_at), v_entry.transaction_id, v_entry.wallet_id, v_entry.wallet_version, v_entry.user_id,
    v_organization_id)::text;
  data := wallet.format_entry(v_entry, v_exponent, null);
  if v_entry.client_id like 'user:%' then
    owner_data := wallet.format_entry(v_entry, v_exponent, v_entry.user_id);
    if owner_data = data then
      owner_data := '';
    end if;
  end if;
end $$;

-- The id of the event of a ledger row: a UUIDv8 of the SHA-256 of the transaction's id and the leg, so the same for ever.
create or replace function delivery.identify_entry(p_transaction_id uuid, p_leg smallint) returns uuid
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select encode(set_byte(set_byte(b.hash, 6, get_byte(b.hash, 6) & 15 | 128), 8, get_byte(b.hash, 8) & 63 | 128), 'hex')::uuid
  from (select substring(sha256(uuid_send(p_transaction_id) || int2send(p_leg)) from 1 for 16)) b (hash)
$$;
