-- The tree of labels. A label that was merged stands for the one that it was merged into: its children are that one's, and its own
-- place counts for nothing. No label is its own ancestor, and none is deeper than six levels.

-- The label that stands for a label, and those above it up to the root; null where they are a circle.
create or replace function finance.find_label_path(p_label_id uuid) returns uuid[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_id uuid := p_label_id;
  v_label finance.labels;
  v_seen uuid[] := '{}';
  v_path uuid[] := '{}';
begin
  while v_id is not null loop
    if v_id = any (v_seen) then
      return null;
    end if;
    v_seen := v_seen || v_id;
    select * into strict v_label from finance.labels l where l.label_id = v_id;
    if v_label.merged_into is null then
      v_path := v_path || v_id;
      v_id := v_label.parent_id;
    else
      v_id := v_label.merged_into;
    end if;
  end loop;
  return v_path;
end $$;

-- How many levels a label and what is under it have: 1 without children. With what was merged into them.
create or replace function finance.count_label_levels(p_label finance.labels) returns integer
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (
    with recursive below (label_id, level) as (
      select p_label.label_id, 1
      union
      select l.label_id, case when l.merged_into is null then b.level + 1 else b.level end
      from below b join finance.labels l on l.book_id = p_label.book_id and l.kind = p_label.kind
        and (l.parent_id = b.label_id and l.merged_into is null or l.merged_into = b.label_id)
    )
    select max(b.level) from below b);
end $$;

-- Refuses a change of a label that would leave it under itself, or the tree too deep. Call it after the change, with the book locked:
-- only a circle through this label can be new.
create or replace function finance.check_label_place(p_label finance.labels) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_levels constant integer := 6;
  v_path constant uuid[] := finance.find_label_path(p_label.label_id);
  v_top finance.labels;
  v_levels integer;
begin
  if v_path is null then
    perform wallet.refuse_call('label_cycle', jsonb_build_object('label_id', p_label.label_id));
  end if;
  select * into strict v_top from finance.labels l where l.label_id = v_path[1];
  v_levels := cardinality(v_path) - 1 + finance.count_label_levels(v_top);
  if v_levels > c_most_levels then
    perform wallet.refuse_call('label_depth', jsonb_build_object('label_id', p_label.label_id, 'depth', v_levels,
      'limit', c_most_levels));
  end if;
end $$;

-- Locks the tree of a book, then returns the label. Refuses the call where the book has no such label, where its version is not
-- p_version (null: any), and where it is a root of categories, which stay as they are.
create or replace function finance.lock_label(p_label_id uuid, p_book_id uuid, p_kind text, p_version bigint) returns finance.labels
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_label finance.labels;
begin
  perform wallet.require_read_committed();
  perform from finance.books b where b.book_id = p_book_id for no key update;
  v_label := finance.find_label(p_label_id, p_book_id, p_kind);
  if v_label.version <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('label_id', p_label_id, 'version', v_label.version));
  elsif v_label.kind = 'category' and v_label.parent_id is null then
    perform wallet.refuse_call('label_fixed', jsonb_build_object('label_id', p_label_id));
  end if;
  return v_label;
end $$;

-- A label of a book; p_book_id: null for any. Refuses the call if there is none.
create or replace function finance.find_label(p_label_id uuid, p_book_id uuid, p_kind text) returns finance.labels
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_label finance.labels;
begin
  select * into v_label from finance.labels l
    where l.label_id = p_label_id and l.kind = p_kind and (p_book_id is null or l.book_id = p_book_id);
  if not found then
    perform wallet.refuse_call('label_not_found', jsonb_build_object('label_id', p_label_id));
  end if;
  return v_label;
end $$;
