"""The only room that knows Postgres: the seam, its drivers, the bundled server, the migrations."""
