-- How many parts name a label (finance.count_label_uses): {"parts"}. It counts at most 10,000: a label that is used is not deleted,
-- however often.
create or replace function finance.count_parts_of_label(p_id uuid) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  c_most constant integer := 10000;
  v_label finance.labels;
  v_count bigint;
begin
  select * into v_label from finance.labels l where l.label_id = p_id;
  if v_label.kind = 'category' then
    select count(*) into v_count from (select from finance.parts p
      where p.book_id = v_label.book_id and p.category_id = p_id limit c_most) u;
  elsif v_label.kind = 'payee' then
    select count(*) into v_count from (select from finance.parts p
      where p.book_id = v_label.book_id and p.payee_id = p_id limit c_most) u;
  else
    select count(*) into v_count from (select from finance.parts p
      where p.tag_ids <> '{}' and p.tag_ids @> array[p_id] limit c_most) u;
  end if;
  return jsonb_build_object('parts', v_count);
end $$;
