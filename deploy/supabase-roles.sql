-- PostgREST's login gets the password of the environment; the roles themselves are in Supabase's image.
\set password `echo "$PGPASSWORD"`
alter role authenticator with password :'password';
