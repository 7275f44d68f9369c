-- Whoever is let into a table by a grant sees no row of it: there are no policies. Functions run as the tables' owner, whom
-- row level security leaves alone. The tables of 0001 have it already, and the runner sees to its own.

alter table wallet.api_keys enable row level security;
