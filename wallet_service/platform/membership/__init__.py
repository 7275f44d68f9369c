"""Whether a user may act on a wallet, and which wallets they see."""
