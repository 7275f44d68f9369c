"""Auto top-up: a wallet that runs low is filled by a charge of the payment service."""
