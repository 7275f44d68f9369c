-- What indexes of grants ask for is a column of its own: a debit changes `remaining`, and where no index has it, the new version of the
-- row needs no new index entries (a heap-only update).
alter table billing.grants
  add column void_reason text check (void_reason in ('request', 'wallet_closed', 'balance_limit', 'grant_limit')),
  add column is_live boolean not null generated always as (remaining > 0) stored,
  add column standing text not null generated always as (case when ended is not null then ended
    when transaction_id is null then 'scheduled' when remaining = 0 then 'used' else 'active' end) stored;
comment on column billing.grants.void_reason is 'of one that was voided: by a request, or by the service because of this';
comment on column billing.grants.standing is 'its state, as of the last time that it was written: what is due is not in it';
drop index billing.grants_in_order;
drop index billing.grants_restricted;
drop index billing.grants_expiring;
drop index billing.grants_of_wallet;
-- The order in which debits take from grants.
create index grants_paying on billing.grants (wallet_id, priority, expires_at, effective_at, grant_id)
  where is_live and transaction_id is not null;
create index grants_paying_some on billing.grants (wallet_id) where is_live and pays is not null;
create index grants_live_until on billing.grants (wallet_id, expires_at, grant_id) where is_live;
create index grants_ended_reserved on billing.grants (wallet_id) where is_live and ended is not null;
create index grants_listed on billing.grants (wallet_id, grant_id);
create index grants_by_standing on billing.grants (wallet_id, standing, grant_id);
create index grants_by_source on billing.grants (wallet_id, source, grant_id);
