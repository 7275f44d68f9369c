"""Grants: credits with a source, a priority, an expiry and a price."""
