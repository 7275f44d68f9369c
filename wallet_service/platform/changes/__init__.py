"""What calls changed and who called, written in the transaction of the change: events to come, and the audit trail."""
