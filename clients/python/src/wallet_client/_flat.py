"""The same calls without resources, for those who like them flat."""

from wallet_client._method import ListMethod, Method
from wallet_client.resources import credits as _credits
from wallet_client.resources import statistics as _statistics
from wallet_client.resources import transactions as _transactions
from wallet_client.resources import wallets as _wallets


class FlatCalls:
    """Every call as a method of the client itself."""

    create_wallet = Method(_wallets.create_wallet)
    get_wallet = Method(_wallets.get_wallet)
    list_wallets = ListMethod(_wallets.list_wallets)
    update_wallet = Method(_wallets.update_wallet)
    close_wallet = Method(_wallets.close_wallet)
    get_balance = Method(_wallets.get_balance)

    deposit = Method(_transactions.deposit)
    withdraw = Method(_transactions.withdraw)
    consume = Method(_transactions.consume)
    reward = Method(_transactions.reward)
    fee = Method(_transactions.fee)
    transfer = Method(_transactions.transfer)
    refund = Method(_transactions.refund)
    batch = Method(_transactions.batch)
    get_transaction = Method(_transactions.get_transaction)
    list_transactions = ListMethod(_transactions.list_transactions)

    get_credits = Method(_credits.get_credits)
    consume_credits = Method(_credits.consume_credits)

    wallet_statistics = Method(_statistics.wallet_statistics)
    user_statistics = Method(_statistics.user_statistics)
    service_stats = Method(_statistics.service_stats)
    trial_balance = Method(_statistics.trial_balance)
    list_currencies = Method(_statistics.list_currencies)
