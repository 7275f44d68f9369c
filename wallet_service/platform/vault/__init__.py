"""Encryption of single values that the service stores: keys, sealing and opening, rotation."""
