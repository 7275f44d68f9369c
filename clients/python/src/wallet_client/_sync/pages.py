# Generated from wallet_client/_async/pages.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Lists, whose items are fetched page by page."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from wallet_client._call import Call
from wallet_client._sync.runner import Runner

if TYPE_CHECKING:
    from wallet_client.models import Page

T = TypeVar("T")


class Pages(Generic[T]):
    """A list. Iterate over it with ``for`` for its items, or over ``pages()`` for its pages.

    Each iteration starts again at the first page. A page is fetched when the iteration reaches it.
    """

    def __init__(self, runner: Runner, page_after: "Callable[[str | None], Call[Page[T]]]") -> None:
        self._runner = runner
        self._page_after = page_after

    def pages(self) -> "Iterator[Page[T]]":
        """Each page. A page may be empty without being the last one.

        Raises:
            WalletError: a page could not be read.
        """
        cursor: str | None = None
        while True:
            page = self._runner.run(self._page_after(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items
