"""Why a balance is what it is, and what a period earned: read from every room of billing at once."""
