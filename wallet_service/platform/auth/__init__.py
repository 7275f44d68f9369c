"""Callers: API keys, user tokens and permissions."""
