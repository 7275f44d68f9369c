"""What was posted: transactions, histories, statements, balances."""
