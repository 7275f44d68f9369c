"""What leaves the service by itself: events, webhooks, the audit trail."""
