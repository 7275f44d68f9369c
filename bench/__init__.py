"""Measures the ledger beside a floor, an ordinary repository and an empty endpoint, in one run on one machine."""
