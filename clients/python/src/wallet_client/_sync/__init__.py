# Generated from wallet_client/_async/__init__.py by scripts/unasync. Change that file, and run scripts/unasync.
"""The client for threads."""
