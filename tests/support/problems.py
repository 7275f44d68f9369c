"""The problems of the service."""

from wallet_service.core.room import problems_of
from wallet_service.rooms import ROOMS

ERRORS = problems_of(ROOMS)
"""By code. Tests declare problems of their own too, which the registry of all classes has as well."""
