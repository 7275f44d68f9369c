"""Clients of upstream services: how they are found, called, and what is cached of them."""
