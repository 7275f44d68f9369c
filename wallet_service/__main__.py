"""``python -m wallet_service`` is the command ``wallet-service``."""

from wallet_service.cli import main

main()
