"""Rules: what sets the categories, payees, tags and notes of parts by conditions, and splits them."""
