-- Stores the note of a movement under the id of its posting.
create or replace function samples.write_movement_note(p_operation wallet.operation, p_entries wallet.wallet_transactions[])
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into samples.notes (note_id, wallet_id, text)
    values (p_entries[1].transaction_id, p_entries[1].wallet_id::text, p_operation.terms ->> 'note');
end $$;
