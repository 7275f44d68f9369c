"""Exchange rates of days, and conversions of money by them."""
