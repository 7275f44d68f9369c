"""Alerts: lines of a wallet's available balance, and when it will be empty."""
