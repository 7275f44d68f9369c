"""The page /docs: what it may load and run, and that no other page may frame it."""

import base64
import hashlib
import re

import pytest
from support.api import Api

from wallet_service.platform.web.page_headers import page_headers


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


async def test_docs_can_not_be_framed_and_run_only_their_own_scripts(direct_api: Api) -> None:
    page = await direct_api.http.get("/docs")
    assert page.status_code == 200
    assert page.headers["X-Frame-Options"] == "DENY"
    policy = directives(page.headers["Content-Security-Policy"])
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["form-action"] == ["'none'"]
    inline = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
    assert len(hashes) >= 1
    assert policy["script-src"] == ["'self'", *(f"'sha256-{each}'" for each in hashes)]


async def test_everything_that_the_page_loads_is_allowed(direct_api: Api) -> None:
    page = await direct_api.http.get("/docs")
    assert re.findall(r"<script\b(?! src=\"/|>)|<style|\son\w+=|javascript:", page.text) == []
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    assert len(loaded) >= 3
    assert all(re.match(r"/(?!/)", each) for each in loaded), loaded  # 'self'


async def test_there_is_no_second_page(direct_api: Api) -> None:
    for path in ("/redoc", "/docs/oauth2-redirect"):
        assert (await direct_api.http.get(path)).status_code == 404


@pytest.mark.parametrize("page", [b"", b"<p>no script</p>", b'<script src="/a.js"></script>'])
def test_a_page_without_inline_scripts_allows_none(page: bytes) -> None:
    assert directives(page_headers(page)["Content-Security-Policy"])["script-src"] == ["'self'"]
