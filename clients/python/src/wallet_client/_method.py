"""One definition of each call for both clients: a function that makes a ``Call`` becomes a method.

``consume = Method(consume)`` is on a WalletClient a method that returns the result, on an AsyncWalletClient one that
returns a coroutine of it, each with the function's own parameters.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import update_wrapper
from inspect import Signature, signature
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

if TYPE_CHECKING:
    from wallet_client._call import Call
    from wallet_client.models import Page

P = ParamSpec("P")
T = TypeVar("T")
S_co = TypeVar("S_co", covariant=True)


class SyncShell:
    """Carries calls out and returns their results."""

    @property
    def shell(self) -> Self:
        """Itself, as resources have one."""
        return self

    def run(self, call: "Call[T]") -> T:
        """Carry out a call."""
        raise NotImplementedError


class AsyncShell:
    """Carries calls out for whoever awaits them."""

    @property
    def shell(self) -> Self:
        """Itself, as resources have one."""
        return self

    async def run(self, call: "Call[T]") -> T:
        """Carry out a call."""
        raise NotImplementedError


class HasShell(Protocol[S_co]):
    """A client, or a resource of one."""

    @property
    def shell(self) -> S_co:
        """Who carries the calls out."""
        ...


class Resource(Generic[S_co]):
    """Calls about one kind of thing."""

    def __init__(self, shell: S_co) -> None:
        self._shell = shell

    @property
    def shell(self) -> S_co:
        """Who carries the calls out."""
        return self._shell


class _Definition(Generic[P, T]):
    """What is bound at its first use, and from then on in the instance's own dictionary."""

    def __init__(self, build: Callable[P, T]) -> None:
        self._build = build
        self._name = build.__name__
        self.__doc__ = build.__doc__
        self.__wrapped__ = build

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def _bind(self, instance: Any, bound: Any) -> Any:
        update_wrapper(bound, self._build)
        bound.__name__ = self._name
        # What it returns is the client's, not the Call that is made within.
        bound.__signature__ = signature(self._build).replace(return_annotation=Signature.empty)
        instance.__dict__[self._name] = bound
        return bound


class Method(_Definition[P, "Call[T]"], Generic[P, T]):
    """A call with one answer."""

    @overload
    def __get__(self, instance: HasShell[SyncShell], owner: Any = None) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, instance: HasShell[AsyncShell], owner: Any = None
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind it to a client or a resource of one."""
        if instance is None:
            return self
        shell, build = instance.shell, self._build
        if isinstance(shell, SyncShell):

            def call(*args: P.args, **kwargs: P.kwargs) -> T:
                return shell.run(build(*args, **kwargs))

            return self._bind(instance, call)

        async def acall(*args: P.args, **kwargs: P.kwargs) -> T:
            return await shell.run(build(*args, **kwargs))

        return self._bind(instance, acall)


class Pages(Generic[T]):
    """A list: iterate over it for its items, over ``pages()`` for its pages. Each iteration asks anew."""

    def __init__(self, shell: SyncShell, build: "Callable[[str | None], Call[Page[T]]]") -> None:
        self._shell = shell
        self._build = build

    def pages(self) -> "Iterator[Page[T]]":
        """Each page, asked for when it is wanted. A page may be empty and not the last."""
        cursor: str | None = None
        while True:
            page = self._shell.run(self._build(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items


class AsyncPages(Generic[T]):
    """A list: ``async for`` over it for its items, over ``pages()`` for its pages. Each iteration asks anew."""

    def __init__(self, shell: AsyncShell, build: "Callable[[str | None], Call[Page[T]]]") -> None:
        self._shell = shell
        self._build = build

    async def pages(self) -> "AsyncIterator[Page[T]]":
        """Each page, asked for when it is wanted. A page may be empty and not the last."""
        cursor: str | None = None
        while True:
            page = await self._shell.run(self._build(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item


class ListMethod(_Definition[P, "Callable[[str | None], Call[Page[T]]]"], Generic[P, T]):
    """A call whose answer comes in pages."""

    @overload
    def __get__(self, instance: HasShell[SyncShell], owner: Any = None) -> Callable[P, Pages[T]]: ...
    @overload
    def __get__(self, instance: HasShell[AsyncShell], owner: Any = None) -> Callable[P, AsyncPages[T]]: ...
    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind it to a client or a resource of one."""
        if instance is None:
            return self
        shell, build = instance.shell, self._build
        pages: Any = Pages if isinstance(shell, SyncShell) else AsyncPages

        def listing(*args: P.args, **kwargs: P.kwargs) -> Any:
            return pages(shell, build(*args, **kwargs))

        return self._bind(instance, listing)
