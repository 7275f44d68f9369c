"""A sample room: notes about wallets."""
