-- Lets this call's commit wait for the synchronous standby, where there is one, although the call writes no row. For a response that
-- rests on an earlier commit: that commit is visible, and may not be on the standby yet (its wait was ended by a cancel request or a
-- restart). The log is replicated in order, so a standby that has this message has every earlier commit, too. Without a synchronous
-- standby it reads a setting and does nothing.
create or replace function wallet.await_replication() returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('synchronous_standby_names') <> '' then
    perform pg_logical_emit_message(true, 'wallet', ''::text);
  end if;
end $$;
