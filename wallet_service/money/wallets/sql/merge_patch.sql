-- RFC 7396: the target with the patch's members put in, and those that are null in the patch taken out.
create or replace function wallet.merge_patch(p_target jsonb, p_patch jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_result jsonb := case when jsonb_typeof(p_target) = 'object' then p_target else '{}' end;
  v_member record;
begin
  if jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  end if;
  for v_member in select m.key, m.value from jsonb_each(p_patch) m loop
    v_result := case when v_member.value = 'null' then v_result - v_member.key
      else v_result || jsonb_build_object(v_member.key, wallet.merge_patch(v_result -> v_member.key, v_member.value)) end;
  end loop;
  return v_result;
end $$;
