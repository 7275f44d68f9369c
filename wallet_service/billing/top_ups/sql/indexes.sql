-- Rules that wait until they are set again, for metrics.
create index concurrently if not exists top_up_rules_stopped on billing.top_up_rules (pause_reason)
  where is_set and paused_until = 'infinity';
