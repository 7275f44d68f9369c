"""``python -m bench`` is what ``scripts/bench`` runs."""

from bench.cli import main

main()
