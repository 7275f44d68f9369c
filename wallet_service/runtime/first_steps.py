"""What the start prints for people: the address, and at the first start a block to paste into another terminal."""

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared, not listened on

_FIRST_CALL = """
Paste this into another terminal to create a wallet with 100 credits. The admin key is shown only now.

export WALLET_URL={url} WALLET_API_KEY={key}
curl -s $WALLET_URL/api/v1/wallets -H "Authorization: Bearer $WALLET_API_KEY" -H 'Content-Type: application/json' \\
  -d '{{"user_id": "ada", "currency": "CREDIT", "initial_balance": "100"}}'
"""


def first_steps(address: tuple[str, int], place: str, first_key: str | None) -> str:
    """The lines of a service that is ready.

    Args:
        address: what it listens on; more members than host and port are ignored.
        place: where the data are.
        first_key: the admin key, if this start created it.
    """
    host, port = address[:2]
    url = _url(_EVERY_ADDRESS.get(host, host), port)
    lines = f"""\
The wallet service is ready on {_url(host, port)}
The data are in {place}
Ctrl-C stops it
"""
    if first_key is not None:
        lines += _FIRST_CALL.format(url=url, key=first_key)
    return f"{lines}\nDocumentation: {url}/docs\n"


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
