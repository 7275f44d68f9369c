-- Takes a notice of the payment service about a payment: wakes a job that reads the payment. It books nothing by itself, so it may come
-- in any order, and any number of times: a message wakes one job. p_reference: as the charge had it: top_up:<id>. Whether the notice is
-- about a top-up of ours.
create or replace function wallet_api.take_payment_notice(p_message_id text, p_payment_id text, p_reference text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_top_up_id uuid;
begin
  perform wallet.require_read_committed();
  select t.top_up_id into v_top_up_id from billing.top_ups t where t.payment_id = p_payment_id limit 1;
  if v_top_up_id is null and p_reference ~ '^top_up:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    select t.top_up_id into v_top_up_id from billing.top_ups t where t.top_up_id = substr(p_reference, 8)::uuid;
  end if;
  if v_top_up_id is null then
    return 'false';
  end if;
  perform billing.enqueue_top_up(v_top_up_id, p_payment_id, wallet.clock(), p_message_id);
  return 'true';
end $$;

-- Wakes top-ups that are under way and whose job has ended before them: it was cancelled, or is dead. Returns how many.
create or replace function wallet_api.wake_top_ups(p_limit integer default 100) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_stuck record;
  v_woken integer := 0;
begin
  perform wallet.require_read_committed();
  for v_stuck in
    select t.top_up_id from billing.top_ups t
    where t.state in ('created', 'charging', 'pending', 'charged') and not exists (select from platform.jobs j
      where j.job_id = t.job_id and j.status in ('queued', 'running'))
    order by t.top_up_id limit least(p_limit, 1000)
  loop
    update billing.top_ups t set job_id = billing.enqueue_top_up(t.top_up_id, null, wallet.clock()) where t.top_up_id = v_stuck.top_up_id;
    v_woken := v_woken + 1;
  end loop;
  return v_woken::text;
end $$;
