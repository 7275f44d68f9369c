-- An idempotency key that was spent on a request which creates something else than money or a wallet (those are in wallet.idempotency).
create table platform.request_keys (
  owner text collate "C" not null,
  key text collate "C" not null,
  request text collate "C" not null,
  object_id uuid not null,
  request_hash bytea not null,
  response text,
  created_at timestamptz not null,
  primary key (owner, key)
);
comment on column platform.request_keys.request is 'the operation id of the request, such as upload_file';
comment on column platform.request_keys.object_id is 'what the request created';
comment on column platform.request_keys.response is 'null only inside the transaction that spends the key';
