"""The interface to PostgreSQL, its two drivers, and the migrations."""
