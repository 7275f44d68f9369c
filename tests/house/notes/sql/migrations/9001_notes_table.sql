-- Notes about wallets.
create table samples.notes (
  note_id uuid primary key,
  wallet_id text not null,
  text text not null
);
