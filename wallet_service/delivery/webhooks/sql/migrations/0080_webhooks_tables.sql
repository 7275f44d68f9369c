-- Endpoints of webhooks, their secrets, what is delivered to them, and each attempt.

create table delivery.webhook_endpoints (
  endpoint_id uuid primary key,
  client_id text collate "C" not null,
  url text not null,
  description text not null,
  event_types text[],
  status text collate "C" not null check (status in ('active', 'disabled', 'deleted')),
  disabled_reason text collate "C",
  failing_since timestamptz,
  resting_until timestamptz,
  after_number bigint not null,
  replay_upto bigint,
  replay_at timestamptz,
  version integer not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((status = 'disabled') = (disabled_reason is not null))
) with (fillfactor = 70);
comment on column delivery.webhook_endpoints.event_types is 'null: events of all types';
comment on column delivery.webhook_endpoints.failing_since is 'the first failed attempt since the last one that succeeded';
comment on column delivery.webhook_endpoints.resting_until is 'while it fails: no attempt before';
comment on column delivery.webhook_endpoints.after_number is 'the number of the event up to which events have become deliveries';
comment on column delivery.webhook_endpoints.replay_upto is 'of a replay: up to this event, deliveries that ended before replay_at are made again';
comment on column delivery.webhook_endpoints.version is 'counts changes, for If-Match';
create index webhook_endpoints_of_client on delivery.webhook_endpoints (client_id, endpoint_id);

-- A secret, sealed by the vault. The current one never expires; those before it stay valid for a time after a rotation.
create table delivery.webhook_secrets (
  secret_id uuid primary key,
  endpoint_id uuid not null references delivery.webhook_endpoints,
  sealed text not null,
  key_id text collate "C" not null,
  created_at timestamptz not null,
  expires_at timestamptz
);
create unique index webhook_secrets_current on delivery.webhook_secrets (endpoint_id) where expires_at is null;
create index webhook_secrets_of_endpoint on delivery.webhook_secrets (endpoint_id);

-- An event for an endpoint: pending until it is delivered, or dead after its last attempt. A pending one that is not ready waits for an
-- earlier one of its wallet. A leased one is being sent.
create table delivery.webhook_deliveries (
  endpoint_id uuid not null references delivery.webhook_endpoints,
  number bigint not null,
  event_id uuid not null,
  event_type text collate "C" not null,
  wallet_id uuid,
  state text collate "C" not null check (state in ('pending', 'delivered', 'dead')),
  ready boolean not null,
  failures integer not null,
  attempts integer not null,
  due_at timestamptz not null,
  lease_id uuid,
  lease_until timestamptz,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (endpoint_id, number),
  check ((state = 'pending') = (ended_at is null)),
  check ((lease_id is null) = (lease_until is null) and (lease_id is null or state = 'pending'))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
comment on column delivery.webhook_deliveries.number is 'of the event, in the order of all events';
comment on column delivery.webhook_deliveries.failures is 'failed attempts in a row, since it became pending';
comment on column delivery.webhook_deliveries.attempts is 'of all time, replays included';
create index webhook_deliveries_due on delivery.webhook_deliveries (endpoint_id, due_at, number) where state = 'pending' and ready;
create index webhook_deliveries_leased on delivery.webhook_deliveries (endpoint_id, lease_id) where lease_id is not null;
create index webhook_deliveries_of_wallet on delivery.webhook_deliveries (endpoint_id, wallet_id, number) where state = 'pending';
create index webhook_deliveries_heads on delivery.webhook_deliveries (endpoint_id, wallet_id)
  where state = 'pending' and ready and failures < 3 and wallet_id is not null;
create index webhook_deliveries_in_state on delivery.webhook_deliveries (endpoint_id, state, number);
create index webhook_deliveries_of_event on delivery.webhook_deliveries (endpoint_id, event_id);
create index webhook_deliveries_ended on delivery.webhook_deliveries (ended_at) where ended_at is not null;

create table delivery.webhook_attempts (
  endpoint_id uuid not null,
  number bigint not null,
  attempt integer not null,
  lease_id uuid not null,
  attempted_at timestamptz not null,
  outcome text collate "C" not null,
  status integer,
  error text collate "C",
  detail text,
  body text not null,
  duration_ms integer not null,
  primary key (endpoint_id, number, attempt)
);
comment on column delivery.webhook_attempts.body is 'the beginning of the response';
