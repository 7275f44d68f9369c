"""Books: whose money is kept together, in which currency, time zone and calendar."""
