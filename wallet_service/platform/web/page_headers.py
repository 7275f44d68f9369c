"""Headers of HTML pages: what a page may load and run, and that no other page may show it in a frame."""

import base64
import hashlib
import re
from collections.abc import Mapping

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def page_headers(page: bytes) -> Mapping[str, str]:
    """The headers of a page whose scripts, styles and images come from this service.

    Scripts within the page are allowed by their hash, so a script that is injected elsewhere does not run. Styles
    within elements are allowed, because the documentation page of the API (Swagger UI) sets them.

    Args:
        page: the HTML, with its own scripts in plain ``<script>`` elements.
    """
    scripts = " ".join(["'self'", *map(_hash, _INLINE_SCRIPT.findall(page))])
    policy = (
        "default-src 'none'",
        f"script-src {scripts}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def _hash(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
