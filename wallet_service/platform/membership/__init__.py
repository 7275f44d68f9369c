"""Access checks and visibility of wallets, and verification of their owners."""
