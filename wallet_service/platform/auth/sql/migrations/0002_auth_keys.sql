-- The keys of services. Forward only: after a release this file is never edited.

create table wallet.api_keys (
  key_id text collate "C" primary key check (key_id ~ '^[0-9a-f]{32}$'),
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  client_name text collate "C" not null,
  scopes text[] not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz
);
comment on column wallet.api_keys.key_id is 'a UUIDv7 in hexadecimal, so that keys are in the order of their creation';
comment on column wallet.api_keys.secret_hash is
  'SHA-256 of 32 random bytes in text: 2^256 secrets can''t be tried, so a slow hash would only slow down requests';
comment on column wallet.api_keys.client_name is 'owns idempotency keys; a client may have several keys, old and new';
