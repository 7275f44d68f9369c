"""Assembles and runs the service from the list of rooms."""
