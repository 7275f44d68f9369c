"""Labels: the categories, payees and tags of a book."""
