-- Deletes a label that nothing uses. p_version: as of update_label.
create or replace function wallet_api.delete_label(p_label_id uuid, p_book_id uuid, p_kind text, p_version bigint, p_caller jsonb)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_label finance.labels := finance.lock_label(p_label_id, p_book_id, p_kind, p_version);
  v_before constant jsonb := finance.format_label(v_label)::jsonb;
  v_uses constant jsonb := finance.count_label_children(v_label) || finance.count_label_uses(p_label_id);
begin
  if exists (select from jsonb_each(v_uses) u where u.value <> '0') then
    perform wallet.refuse_call('label_in_use', jsonb_build_object('label_id', p_label_id, 'uses', v_uses));
  end if;
  delete from finance.labels l where l.label_id = p_label_id;
  perform finance.record_label(p_caller, 'label.deleted', v_before, null);
  return 'true';
end $$;

-- What the tree has of a label: {"children","merges"}.
create or replace function finance.count_label_children(p_label finance.labels) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_build_object(
    'children', (select count(*) from finance.labels l
      where l.book_id = p_label.book_id and l.kind = p_label.kind and l.parent_id = p_label.label_id),
    'merges', (select count(*) from finance.labels l
      where l.book_id = p_label.book_id and l.kind = p_label.kind and l.merged_into = p_label.label_id));
end $$;

-- What else uses a label: an object of counts. Rooms that use labels declare a function (Room.hooks), and migrate replaces this one by
-- one that has all their counts. The book of the label is locked; a room locks it before it uses a label, so none is deleted under it.
create or replace function finance.count_label_uses(p_id uuid) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return '{}';
end $$;
