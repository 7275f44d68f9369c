-- Notes about wallets.
create table samples.notes (
  note_id bigint generated always as identity primary key,
  wallet_id text not null,
  text text not null
);
