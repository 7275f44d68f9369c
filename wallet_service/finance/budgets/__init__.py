"""Budgets: what may be spent in each period, and how far it is."""
