"""Logs, traces and spans."""
