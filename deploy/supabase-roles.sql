-- Sets the password of PostgREST's login role to that of the environment. Supabase's image has the roles.
\set password `echo "$PGPASSWORD"`
alter role authenticator with password :'password';
