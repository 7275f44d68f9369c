"""Callers: keys of services, tokens of users, and what each may do."""
