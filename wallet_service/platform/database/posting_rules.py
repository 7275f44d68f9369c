"""The function by which the kernel calls the posting rules of the rooms, written from their declarations."""

from collections.abc import Sequence
from importlib import resources

DISPATCHER = "wallet.apply_posting_rules"
"""The ledger's function that step 4 of the kernel calls. Without rules it stays as the ledger has it."""

_CALL = """\
  v_refusal := {rule}(p_operation, p_decision, p_decisions);
  if v_refusal.code is not null then
    return wallet.build_refusal(v_refusal.code, coalesce(v_refusal.facts, '{{}}'));
  end if;
"""


def dispatcher(rules: Sequence[str]) -> str:
    """The definition of the dispatcher that calls these functions, names with their schemas, in this order."""
    template = resources.files("wallet_service.platform.database") / "runner" / "posting_rules.sql"
    calls = "".join(_CALL.format(rule=rule) for rule in rules)
    return template.read_text(encoding="utf-8").replace("\r\n", "\n").replace("{{rules}}\n", calls)
