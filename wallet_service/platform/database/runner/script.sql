-- The wallet service, release {{release}}: brings a database to it, from an empty one or from an earlier release.
-- Made by `wallet-service migrate --sql`, which does the same as `wallet-service migrate`. It is one statement, so all of it
-- happens or nothing, however it is run. Run again, it changes nothing.
-- Needs a superuser, or a role with CREATEROLE that owns the database, or a member of wallet_owner where it was run before.

do {{tag}}
declare
  c_release constant text := {{release_literal}};
  c_numbers constant text[] := {{numbers}};
  c_newest constant text := coalesce(c_numbers[cardinality(c_numbers)], '0000');
  c_functions constant text := {{functions_checksum}};
  c_role constant text := pg_catalog.current_setting('role');
  c_search_path constant text := pg_catalog.current_setting('search_path');
  c_check_bodies constant text := pg_catalog.current_setting('check_function_bodies');
  v_applied text[] := '{}';
  v_replaced text[] := '{}';
  v_dropped text[] := '{}';
  v_changed boolean := false;
  v_name text;
  v_number text;
  v_recorded text;
  v_before text[];
  v_grants text[];
  v_last record;
  v_file record;
  v_detail text;
begin
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  perform pg_advisory_xact_lock({{lock}});

  -- Roles belong to the cluster and the lock to one database, so a run in another database can be making the same roles;
  -- whoever comes second waits for the first one's commit, fails, and looks again.
  for v_try in 1 .. 6 loop
    if v_try = 6 then
      raise exception using errcode = 'WL011',
        message = 'other runs kept changing the roles wallet_owner and wallet_service';
    end if;
    begin
      if to_regrole('wallet_owner') is null then
        create role wallet_owner nologin;
      end if;
      if to_regrole('wallet_service') is null then
        create role wallet_service nologin;
      end if;
      if current_setting('server_version_num')::int < 160000 then
        if not pg_has_role('wallet_owner', 'USAGE') then
          grant wallet_owner to current_user;
        end if;
      elsif not (pg_has_role('wallet_owner', 'SET') and pg_has_role('wallet_owner', 'USAGE')) then
        execute 'grant wallet_owner to current_user with inherit true, set true';
      end if;
      exit;
    exception
      when duplicate_object or unique_violation then
        null; -- again
      when insufficient_privilege then
        raise exception using errcode = 'WL011', message =
          'this user may not make or join the roles of the service; let a superuser run: '
          'create role wallet_owner nologin; create role wallet_service nologin; grant wallet_owner to <this user>';
    end;
  end loop;

  foreach v_name in array {{schemas}} loop
    select pg_get_userbyid(nspowner) as owner into v_last from pg_catalog.pg_namespace where nspname = v_name;
    if v_last.owner <> 'wallet_owner' then
      raise exception using errcode = 'WL011',
        message = format('there is a schema %s already, and it belongs to %s', v_name, v_last.owner);
    elsif v_last.owner is null then
      begin
        execute format('create schema %I authorization wallet_owner', v_name);
      exception when insufficient_privilege then
        raise exception using errcode = 'WL011', message = format('this user may not create schema %s; '
          'let the database''s owner run: grant create on database <database> to <this user>', v_name);
      end;
    end if;
  end loop;

  perform set_config('role', 'wallet_owner', true);
  if to_regclass('wallet.migrations') is null then
    create table wallet.migrations (
      number text collate "C" primary key check (number ~ '^[0-9]{4}$'),
      name text not null,
      checksum text not null,
      release text not null,
      applied_at timestamptz not null default clock_timestamp()
    );
    comment on table wallet.migrations is 'written by the runner only: which migration files were applied';
    create table wallet.releases (
      sequence bigint generated always as identity primary key,
      release text not null,
      checksum text not null,
      functions text[] not null,
      applied_at timestamptz not null default clock_timestamp()
    );
    comment on table wallet.releases is 'written by the runner only: the functions of every release applied';
  end if;

  select max(number) into v_number from wallet.migrations;
  -- The numbers of a release, for order; what follows them (rc1, .dev0) doesn't count.
  select r.release, r.checksum, r.functions,
    string_to_array(substring(r.release from '^\d+(?:\.\d+)*'), '.')::int[]
      > string_to_array(substring(c_release from '^\d+(?:\.\d+)*'), '.')::int[] as is_newer
  into v_last from wallet.releases r order by sequence desc limit 1;
  if v_number > c_newest or v_last.is_newer then
    raise exception using errcode = 'WL010',
      message = case when v_number > c_newest
        then format('the database has migration %s, this release ends at %s', v_number, c_newest)
        else format('release %s has migrated this database, this is %s', v_last.release, c_release) end,
      detail = json_build_object('release', v_last.release, 'migration', v_number),
      hint = format('Nothing was changed. The release before that one can serve from the database as it is; to go further back, '
        'restore the backup made before it was migrated; to go on, migrate with release %s or a newer one.', v_last.release);
  end if;
  select m.number || '_' || m.name into v_name from wallet.migrations m where m.number <> all (c_numbers) order by m.number limit 1;
  if v_name is not null then
    raise exception using errcode = 'WL011',
      message = format('the database has migration %s.sql, which this release lacks', v_name);
  end if;

  for v_file in
    select file.* from ({{migrations}}) as file (number, name, checksum, sql) order by number collate "C"
  loop
    v_name := format('%s_%s.sql', v_file.number, v_file.name);
    select m.checksum into v_recorded from wallet.migrations m where m.number = v_file.number;
    if v_recorded <> v_file.checksum then
      raise exception using errcode = 'WL011',
        message = format('%s was edited after it was applied here; undo that, add another', v_name);
    elsif v_recorded is null and v_file.number < v_number then
      raise exception using errcode = 'WL011',
        message = format('%s is not applied here, and %s is: give it a newer number', v_name, v_number);
    elsif v_recorded is null then
      execute v_file.sql;
      insert into wallet.migrations (number, name, checksum, release)
      values (v_file.number, v_file.name, v_file.checksum, c_release);
      v_applied := v_applied || v_name;
    end if;
  end loop;

  if (v_last.release, v_last.checksum) is distinct from (c_release, c_functions) then
    -- Bodies may name functions that come later in the alphabet.
    perform set_config('check_function_bodies', 'off', true);
    begin
      for v_file in
        select file.* from ({{functions}}) as file (schema, name, sql) order by schema, name collate "C"
      loop
        -- Put the function in place of whatever has its name; never leave two of one name.
        v_replaced := v_replaced || format('%s.%s', v_file.schema, v_file.name);
        v_before := array(select p.oid::regprocedure::text from pg_catalog.pg_proc p
                          where p.pronamespace = v_file.schema::regnamespace and p.proname = v_file.name);
        if cardinality(v_before) = 0 then
          execute v_file.sql;
          continue;
        end if;
        v_grants := array(
          select format(case when acl.is_grantable then '%s with grant option' else '%s' end, acl.grantee::regrole)
          from unnest(v_before) as old (signature)
          join pg_catalog.pg_proc p on p.oid = old.signature::regprocedure, aclexplode(p.proacl) as acl
          where acl.grantee not in (0, p.proowner) and acl.privilege_type = 'EXECUTE');
        begin
          execute v_file.sql;
          if (select count(*) from pg_catalog.pg_proc p
              where p.pronamespace = v_file.schema::regnamespace and p.proname = v_file.name) = 1 then
            continue;
          end if;
          raise exception using errcode = 'WL012'; -- takes the second function of the name back
        exception when sqlstate 'WL012' or invalid_function_definition then
          null; -- Another argument list, answer or parameter name: Postgres replaces none of these in place.
        end;
        foreach v_name in array v_before loop
          execute format('drop function %s', v_name);
        end loop;
        execute v_file.sql;
        v_before := array(select p.oid::regprocedure::text from pg_catalog.pg_proc p
                          where p.pronamespace = v_file.schema::regnamespace and p.proname = v_file.name);
        foreach v_name in array v_grants loop
          execute format('grant execute on function %s to %s', v_before[1], v_name);
        end loop;
      end loop;

      -- Functions of earlier releases that neither this release nor the last one here has. One that only this release
      -- lacks stays: processes of the last release may still be calling it.
      v_dropped := array(
        select distinct p.oid::regprocedure::text
        from wallet.releases r, unnest(r.functions) as f (qualified)
        join pg_catalog.pg_proc p
          on p.pronamespace = to_regnamespace(split_part(f.qualified, '.', 1)) and p.proname = split_part(f.qualified, '.', 2)
        where f.qualified <> all (v_replaced) and f.qualified <> all (v_last.functions)
        order by 1);
      foreach v_name in array v_dropped loop
        execute format('drop function %s', v_name);
      end loop;
    exception when dependent_objects_still_exist then
      get stacked diagnostics v_detail = pg_exception_detail;
      raise exception using errcode = 'WL011',
        message = format('%s can''t be dropped, something uses it: %s', v_name, v_detail);
    end;
    select p.oid::regprocedure::text into v_name
    from pg_catalog.pg_proc p
    where p.pronamespace = 'wallet_api'::regnamespace and p.proowner = 'wallet_owner'::regrole
      and not (p.prosecdef and 'search_path=pg_catalog, pg_temp' = any (coalesce(p.proconfig, '{}')))
    limit 1;
    if v_name is not null then
      raise exception using errcode = 'WL011',
        message = format('%s is not security definer set search_path = pg_catalog, pg_temp', v_name);
    end if;
    insert into wallet.releases (release, checksum, functions) values (c_release, c_functions, v_replaced);
    v_changed := true;
  end if;

  foreach v_name in array array(
{{grants}}
  ) loop
    execute v_name;
    v_changed := true;
  end loop;

  if v_changed or cardinality(v_applied) > 0 then
    notify pgrst, 'reload schema'; -- PostgREST sees what is new at the commit; elsewhere nobody listens
  end if;
  -- What the rest of the transaction finds is what it left.
  perform set_config('wallet_service.report',
    json_build_object('applied', v_applied, 'replaced', v_replaced, 'dropped', v_dropped)::text, true);
  perform set_config('check_function_bodies', c_check_bodies, true);
  perform set_config('role', c_role, true);
  perform pg_catalog.set_config('search_path', c_search_path, true);
end
{{tag}};
