-- By this verify finds the event of an entry of the audit trail. Events of postings have no id of their own.
create index concurrently if not exists events_of_change on delivery.events (event_id) where event_id is not null;
