-- The operations of a call in order, read and numbered; an operation's leader is the first with the same key.
-- A transaction_id that comes again under another key is refused.
create or replace function wallet.read_operations(p_units jsonb) returns wallet.operation[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_ops wallet.operation[];
  v_op wallet.operation;
  v_row record;
  v_leaders jsonb := '{}';
  v_named jsonb := '{}';
  v_name text;
begin
  for v_row in
    select u.ordinality::integer as unit, o.ordinality::integer as position,
      jsonb_array_length(u.value -> 'operations') as size, o.value,
      coalesce((u.value ->> 'atomic')::boolean, false) as atomic,
      coalesce((u.value ->> 'dry_run')::boolean, false) as dry_run,
      coalesce((u.value ->> 'resent')::boolean, false) as resent
    from jsonb_array_elements(p_units) with ordinality u, jsonb_array_elements(u.value -> 'operations') with ordinality o
    order by u.ordinality, o.ordinality
  loop
    v_op := wallet.read_operation(v_row.value);
    v_op.ordinal := coalesce(array_length(v_ops, 1), 0) + 1;
    v_op.leader := v_op.ordinal;
    v_op.unit := v_row.unit;
    v_op.position := v_row.position - 1;
    v_op.ends_unit := v_row.position = v_row.size;
    v_op.atomic := v_row.atomic;
    v_op.dry_run := v_row.dry_run;
    v_op.resent := v_row.resent;
    if v_op.refusal is null then
      v_name := length(v_op.client_id) || ' ' || v_op.client_id || v_op.key;
      v_op.leader := coalesce((v_leaders ->> v_name)::integer, v_op.ordinal);
      v_leaders := v_leaders || jsonb_build_object(v_name, v_op.leader);
      if not v_op.dry_run and coalesce((v_named ->> v_op.transaction_id::text)::integer, v_op.leader) <> v_op.leader then
        v_op.refusal := 'idempotency_key_reused';
        v_op.facts := jsonb_build_object('transaction_id', v_op.transaction_id);
      elsif not v_op.dry_run then
        v_named := v_named || jsonb_build_object(v_op.transaction_id, v_op.leader);
      end if;
    end if;
    v_ops := v_ops || v_op;
  end loop;
  return v_ops;
end $$;
