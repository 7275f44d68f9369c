-- The operations of a call in order, read and numbered; an operation's leader is the first with the same key.
-- A transaction_id that comes again under another key is refused.
create or replace function wallet.read_operations(p_units jsonb) returns wallet.operation[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_ops wallet.operation[];
  v_op wallet.operation;
  v_unit jsonb;
  v_operations jsonb;
  v_ordinal integer := 0;
  -- Leaders by the name of a key, and by transaction_id; in 64 parts, since what adds to a jsonb copies it.
  v_keys jsonb[] := array_fill('{}'::jsonb, array[64]);
  v_named jsonb[] := array_fill('{}'::jsonb, array[64]);
  v_name text;
  v_part integer;
  v_claiming boolean[];    -- by leader
begin
  for i in 0 .. jsonb_array_length(p_units) - 1 loop
    v_unit := p_units -> i;
    v_operations := v_unit -> 'operations';
    for j in 0 .. jsonb_array_length(v_operations) - 1 loop
      v_ordinal := v_ordinal + 1;
      v_op := jsonb_populate_record(null::wallet.operation,
        '{"atomic": false, "dry_run": false, "resent": false}' || v_unit - 'operations');
      v_op.ordinal := v_ordinal;
      v_op.unit := i;
      v_op.position := j;
      v_op.leader := v_ordinal;
      v_op := wallet.read_operation(v_operations -> j, v_op);
      v_op.ends_unit := j = jsonb_array_length(v_operations) - 1;
      if v_op.refusal is null then
        v_name := length(v_op.client_id) || ' ' || v_op.client_id || v_op.idempotency_key;
        v_part := 1 + (hashtextextended(v_name, 0) & 63);
        v_op.leader := coalesce((v_keys[v_part] -> v_name)::integer, v_ordinal);
        v_keys[v_part] := v_keys[v_part] || jsonb_build_object(v_name, v_op.leader);
        v_part := 1 + (uuid_hash_extended(v_op.transaction_id, 0) & 63);
        if not v_op.dry_run and (v_named[v_part] -> v_op.transaction_id::text)::integer <> v_op.leader then
          v_op.refusal := 'idempotency_key_reused';
          v_op.facts := jsonb_build_object('transaction_id', v_op.transaction_id);
        elsif not v_op.dry_run then
          v_named[v_part] := v_named[v_part] || jsonb_build_object(v_op.transaction_id, v_op.leader);
          v_op.claims := v_claiming[v_op.leader] is null;
          v_claiming[v_op.leader] := true;
        end if;
      end if;
      v_ops[v_ordinal] := v_op;
    end loop;
  end loop;
  return v_ops;
end $$;
