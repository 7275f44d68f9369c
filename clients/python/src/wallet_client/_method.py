"""One definition of each call for both clients: a function that makes a ``Call`` becomes a method.

``consume = Method(consume)`` is on a WalletClient a method that returns the result, on an AsyncWalletClient one that
returns a coroutine of it, each with the function's own parameters. They are made when it is known which of the two
a class is, as plain functions of that class, which ``help``, ``inspect`` and ``unittest.mock`` understand.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import cache, update_wrapper
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

if TYPE_CHECKING:
    from wallet_client._call import Call
    from wallet_client.models import Page

P = ParamSpec("P")
T = TypeVar("T")
S_co = TypeVar("S_co", covariant=True)


class SyncShell:
    """Carries calls out and returns their results."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _make_methods(cls, awaited=False)

    @property
    def shell(self) -> Self:
        """Itself, as resources have one."""
        return self

    def run(self, call: "Call[T]") -> T:
        """Carry out a call."""
        raise NotImplementedError  # each client has its own way


class AsyncShell:
    """Carries calls out for whoever awaits them."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _make_methods(cls, awaited=True)

    @property
    def shell(self) -> Self:
        """Itself, as resources have one."""
        return self

    async def run(self, call: "Call[T]") -> T:
        """Carry out a call."""
        raise NotImplementedError  # each client has its own way


class HasShell(Protocol[S_co]):
    """A client, or a resource of one."""

    @property
    def shell(self) -> S_co:
        """Who carries the calls out."""
        ...


class Resource(Generic[S_co]):
    """Calls about one kind of thing."""

    def __new__(cls, shell: S_co) -> Self:
        """Of the class whose methods are those of such a client."""
        return object.__new__(_resource_of(cls, isinstance(shell, AsyncShell)))

    def __init__(self, shell: S_co) -> None:
        self._shell = shell

    @property
    def shell(self) -> S_co:
        """Who carries the calls out."""
        return self._shell


@cache
def _resource_of(kind: type[Any], awaited: bool) -> type[Any]:
    made = type(kind.__name__, (kind,), {"__doc__": kind.__doc__, "__module__": kind.__module__})
    _make_methods(made, awaited=awaited)
    return made


def _make_methods(owner: type[Any], *, awaited: bool) -> None:
    """Put a function in the place of each definition that the class has from others."""
    found = {name: value for each in reversed(owner.__mro__) for name, value in vars(each).items()}
    for name, value in found.items():
        if isinstance(value, _Definition):
            setattr(owner, name, value.function(owner, name, awaited=awaited))


@cache
def _signature(build: Callable[..., Any]) -> Signature:
    """Of the method: what it returns is the client's, not the Call that is made within."""
    own = Parameter("self", Parameter.POSITIONAL_ONLY)
    made = signature(build)
    return made.replace(parameters=[own, *made.parameters.values()], return_annotation=Signature.empty)


class _Definition(Generic[P, T]):
    """What a class of a client or a resource has a function for."""

    def __init__(self, build: Callable[P, T]) -> None:
        self._build = build
        self.__doc__ = build.__doc__
        self.__wrapped__ = build

    def function(self, owner: type[Any], name: str, *, awaited: bool) -> Callable[..., Any]:
        """The method, of this name."""
        made = self._function(awaited=awaited)
        update_wrapper(made, self._build)
        made.__name__ = name
        made.__qualname__ = f"{owner.__qualname__}.{name}"
        vars(made)["__signature__"] = _signature(self._build)
        return made

    def _function(self, *, awaited: bool) -> Callable[..., Any]:
        raise NotImplementedError  # each kind of call has its own


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
        """What it is before its class is one of a client."""
        return self

    def _function(self, *, awaited: bool) -> Callable[..., Any]:
        build = self._build

        def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return self.shell.run(build(*args, **kwargs))

        async def acall(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return await self.shell.run(build(*args, **kwargs))

        return acall if awaited else call


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
        """What it is before its class is one of a client."""
        return self

    def _function(self, *, awaited: bool) -> Callable[..., Any]:
        build = self._build
        pages: Any = AsyncPages if awaited else Pages

        def listing(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return pages(self.shell, build(*args, **kwargs))

        return listing
