"""Webhooks: events are sent to endpoints of clients, by the Standard Webhooks specification."""
