-- The answers: for each unit an array of outcomes, one a line, so that a caller can hand an answer on unread.
create or replace function wallet.outcomes_text(p_operations wallet.operation[], p_decisions wallet.decision[]) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return '[' || coalesce((select string_agg(u.outcomes, E',\n' order by u.unit) from (
    select o.unit, E'[\n' || string_agg(case p_decisions[o.ordinal].status
      when 'refused' then json_build_object('status', 'refused', 'code', p_decisions[o.ordinal].code,
        'facts', p_decisions[o.ordinal].facts)::text
      when 'busy' then json_build_object('status', 'busy', 'wallet_id', p_decisions[o.ordinal].facts -> 'wallet_id')::text
      else '{"status":"' || p_decisions[o.ordinal].status || '","transaction":' || wallet.posting_json(
        p_decisions[o.ordinal].entries, p_decisions[o.ordinal].exponent, o.acting_user_id,
        p_decisions[o.ordinal].status = 'dry_run') || '}'
      end, E'\n,\n' order by o.ordinal) || E'\n]' as outcomes
    from unnest(p_operations) o group by o.unit) u), '') || ']';
end $$;
