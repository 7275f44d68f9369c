-- For metrics: {states: {state: {top_ups, oldest_s}}, stopped: {reason: rules}}. Of the top-ups that are under way, how many are in a
-- state, and for how long the oldest of them was created; and how many rules wait until they are set again. At most 10,000 are counted.
create or replace function wallet_api.read_top_up_counts() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  c_most constant integer := 10000;
begin
  return json_build_object(
    'states', (select coalesce(json_object_agg(s.state, json_build_object('top_ups', s.top_ups, 'oldest_s', s.oldest_s)), '{}')
      from (select t.state, count(*) as top_ups, greatest(extract(epoch from wallet.clock() - min(t.created_at)), 0) as oldest_s
        from (select o.state, o.created_at from billing.top_ups o
          where o.state in ('created', 'charging', 'pending', 'charged') order by o.top_up_id limit c_most) t group by t.state) s),
    'stopped', (select coalesce(json_object_agg(s.pause_reason, s.rules), '{}')
      from (select r.pause_reason, count(*) as rules from (select o.pause_reason from billing.top_up_rules o
          where o.is_set and o.paused_until = 'infinity' limit c_most) r group by r.pause_reason) s))::text;
end $$;
