-- Changes a label by a merge patch: name, parent_id, color, icon, tax_code, archived. p_version: the version that the caller read, or
-- null. A label that was merged is changed after its merge was taken back. Returns it.
create or replace function wallet_api.update_label(p_label_id uuid, p_book_id uuid, p_kind text, p_version bigint, p_changes jsonb,
  p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_old finance.labels := finance.lock_label(p_label_id, p_book_id, p_kind, p_version);
  v_before constant jsonb := finance.format_label(v_old)::jsonb;
  v_new finance.labels := v_old;
begin
  if v_old.merged_into is not null then
    perform wallet.refuse_call('label_merged', jsonb_build_object('label_id', p_label_id, 'merged_into', v_before -> 'merged_into'));
  end if;
  v_new.name := coalesce(p_changes ->> 'name', v_old.name);
  v_new.color := case when p_changes ? 'color' then p_changes ->> 'color' else v_old.color end;
  v_new.icon := case when p_changes ? 'icon' then p_changes ->> 'icon' else v_old.icon end;
  v_new.tax_code := case when p_changes ? 'tax_code' then p_changes ->> 'tax_code' else v_old.tax_code end;
  -- A parent that the caller names as it is shown is no move: the stored one may have been merged into it.
  if p_changes ? 'parent_id' and (p_changes ->> 'parent_id')::uuid is distinct from (v_before ->> 'parent_id')::uuid then
    v_new.parent_id := finance.find_parent((p_changes ->> 'parent_id')::uuid, p_book_id, p_kind);
  end if;
  if p_changes ? 'archived' then
    v_new.archived_at := case when (p_changes ->> 'archived')::boolean then coalesce(v_old.archived_at, wallet.clock()) end;
  end if;
  if v_new is not distinct from v_old then
    return v_before::text;
  end if;
  if v_new.parent_id = p_label_id then
    perform wallet.refuse_call('label_cycle', jsonb_build_object('label_id', p_label_id));
  end if;
  perform finance.check_label_name(v_new);
  return finance.store_label(v_new, 'label.updated', v_before, p_caller);
end $$;

-- Stores a changed label, whose book is locked, and records the change. Returns it.
create or replace function finance.store_label(p_label finance.labels, p_type text, p_before jsonb, p_caller jsonb) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_new finance.labels;
begin
  update finance.labels l set name = p_label.name, parent_id = p_label.parent_id, merged_into = p_label.merged_into,
      color = p_label.color, icon = p_label.icon, tax_code = p_label.tax_code, archived_at = p_label.archived_at,
      version = l.version + 1, updated_at = wallet.clock()
    where l.label_id = p_label.label_id returning * into v_new;
  perform finance.check_label_place(v_new);
  perform finance.record_label(p_caller, p_type, p_before, v_new);
  return finance.format_label(v_new);
end $$;

-- Merges a label into another of its book: readers take that one instead, for what was labelled before, too. One row is written. One
-- that was merged before goes to the new one. Returns it.
create or replace function wallet_api.merge_label(p_label_id uuid, p_book_id uuid, p_kind text, p_version bigint, p_into uuid,
  p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_label finance.labels := finance.lock_label(p_label_id, p_book_id, p_kind, p_version);
  v_before constant jsonb := finance.format_label(v_label)::jsonb;
begin
  perform finance.find_label(p_into, p_book_id, p_kind);
  if p_into = p_label_id then
    perform wallet.refuse_call('label_cycle', jsonb_build_object('label_id', p_label_id));
  elsif v_label.merged_into = p_into then
    return v_before::text;
  end if;
  v_label.merged_into := p_into;
  return finance.store_label(v_label, 'label.merged', v_before, p_caller);
end $$;

-- Takes back the merge of a label: it stands for itself again, with what it had. Returns it.
create or replace function wallet_api.unmerge_label(p_label_id uuid, p_book_id uuid, p_kind text, p_version bigint, p_caller jsonb)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_label finance.labels := finance.lock_label(p_label_id, p_book_id, p_kind, p_version);
  v_before constant jsonb := finance.format_label(v_label)::jsonb;
begin
  if v_label.merged_into is null then
    return v_before::text;
  end if;
  v_label.merged_into := null;
  perform finance.check_label_name(v_label);
  return finance.store_label(v_label, 'label.unmerged', v_before, p_caller);
end $$;
