-- The end of step 4 for an operation that would post: null, or a refusal (wallet.build_refusal). Rooms declare the rules,
-- functions with these parameters (Room.posting_rules); where there is one, migrate replaces this function by one that calls
-- them in the order of the rooms. A rule is called for dry runs too, and not for an operation whose key was used before.
-- p_decision is what would be posted: its entries have the amounts, and the balances before and after. p_decisions are the
-- decisions of this call before this one, by ordinal: the entries of those that are "fresh" are posted, and not yet written.
-- The wallets are locked. A rule reads; it changes nothing and locks nothing.
-- This one is immutable and has no search_path: the planner replaces the call by null, so it costs nothing.
create or replace function wallet.apply_posting_rules(p_operation wallet.operation, p_decision wallet.decision,
  p_decisions wallet.decision[]) returns wallet.decision
language sql immutable as $$
  select null::wallet.decision
$$;
