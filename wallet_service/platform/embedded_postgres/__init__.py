"""The bundled PostgreSQL server and its data folder."""
