"""Rated usage: meters, rate cards, and what events of usage cost."""
