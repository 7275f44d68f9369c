"""Headers that show a caller what is left of its limit."""

HEADERS = "rate_limit_headers"
"""The member of a request's state with the headers of its response; the middleware sends them."""
