"""The audit trail: who changed what, and who read another person's data."""
