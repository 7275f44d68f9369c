"""A user's credits without a wallet_id, as older clients ask for them."""
