"""Lists, whose items are fetched page by page."""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from wallet_client._async.runner import AsyncRunner
from wallet_client._call import Call

if TYPE_CHECKING:
    from wallet_client.models import Page

T = TypeVar("T")


class AsyncPages(Generic[T]):
    """A list. Iterate over it with ``async for`` for its items, or over ``pages()`` for its pages.

    Each iteration starts again at the first page. A page is fetched when the iteration reaches it.
    """

    def __init__(self, runner: AsyncRunner, page_after: "Callable[[str | None], Call[Page[T]]]") -> None:
        self._runner = runner
        self._page_after = page_after

    async def pages(self) -> "AsyncIterator[Page[T]]":
        """Each page. A page may be empty without being the last one.

        Raises:
            WalletError: a page could not be read.
        """
        cursor: str | None = None
        while True:
            page = await self._runner.run(self._page_after(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item
