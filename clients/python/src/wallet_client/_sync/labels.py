# Generated from wallet_client/_async/labels.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Categories, payees and tags of books."""

from typing import TYPE_CHECKING, Any, ClassVar

from wallet_client._call import PAGE_SIZE, UNSET, Call, Id, Unset, change_call, encode, get_call, post_call
from wallet_client._responses import label_of, labels_of, nothing_of
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner

if TYPE_CHECKING:
    from wallet_client.books import Label
    from wallet_client.models import Page


class LabelsResource:
    _one: ClassVar[str]
    _several: ClassVar[str]

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def get(self, label_id: Id) -> "Label":
        """Read one.

        Args:
            label_id: its id.

        Raises:
            LabelNotFound: there is none, or the caller may not see its book.
        """
        return self._runner.run(get_call(f"get_{self._one}", self._route, label_of, label_id=label_id))

    def list(
        self,
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        archived: bool | None = None,
        merged: bool | None = None,
        name: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Label]":
        """Those of a book, oldest first.

        Args:
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.
            archived: only those that are archived, or are not; default: both.
            merged: only those that were merged into others, or were not; default: both.
            name: only those whose name has this in it, whatever its capitals.
            page_size: items per request, 1 to 100.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
        """
        query = {
            "user_id": user_id,
            "organization_id": organization_id,
            "archived": None if archived is None else str(archived).lower(),
            "merged": None if merged is None else str(merged).lower(),
            "name": name,
            "limit": page_size,
        }

        def page_after(cursor: str | None) -> "Call[Page[Label]]":
            return get_call(
                f"list_{self._several}", f"/{self._several}", labels_of, query | {"cursor": cursor}
            )

        return Pages(self._runner, page_after)

    def delete(self, label_id: Id, *, if_version: int | None = None) -> None:
        """Delete one that nothing uses. The call has no idempotency key; see ``update``.

        Args:
            label_id: its id.
            if_version: delete it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            LabelNotFound: there is none, or the caller may not see its book.
            LabelFixed: it is a root of categories.
            LabelInUse: something uses it; ``uses`` counts what. Merge or archive it.
            OutcomeUnknown: it may have been deleted; read it.
        """
        call = change_call(
            f"delete_{self._one}", "DELETE", self._route, nothing_of, None, if_version, label_id=label_id
        )
        return self._runner.run(call)

    def merge(self, label_id: Id, into: Id, *, if_version: int | None = None) -> "Label":
        """Merge one into another: readers take that one instead, for what was labelled before, too.

        The same call again changes nothing.

        Args:
            label_id: the one that is merged.
            into: the one that stays.
            if_version: merge it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            LabelNotFound: one of them is none of the book, or the caller may not see it.
            LabelFixed: it is a root of categories.
            LabelCycle: the other one is under it.
            LabelDepth: the tree would have more than six levels.
            OutcomeUnknown: the merge may have been made; read it.
        """
        body = encode({"into": str(into)})
        return self._runner.run(self._change("merge", "POST", "/merge", body, if_version, label_id))

    def unmerge(self, label_id: Id, *, if_version: int | None = None) -> "Label":
        """Take a merge back: it stands for itself again, with all that it had. The same call again changes nothing.

        Args:
            label_id: the one that was merged.
            if_version: do it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            LabelNotFound: there is none, or the caller may not see its book.
            LabelFixed: it is a root of categories.
            LabelExists: another one has got its name.
            LabelCycle: it would now be under itself.
            LabelDepth: the tree would have more than six levels.
            OutcomeUnknown: it may have been done; read it.
        """
        return self._runner.run(self._change("unmerge", "POST", "/unmerge", None, if_version, label_id))

    def _create(self, key: str | None, **members: Any) -> "Label":
        for name in ("user_id", "organization_id", "parent_id"):
            members[name] = None if members[name] is None else str(members[name])
        call = post_call(f"create_{self._one}", f"/{self._several}", label_of, members, key)
        return self._runner.run(call)

    def _update(self, label_id: Id, if_version: int | None, **members: Any) -> "Label":
        sent = {member: value for member, value in members.items() if value is not UNSET}
        if sent.get("parent_id") is not None:
            sent["parent_id"] = str(sent["parent_id"])
        return self._runner.run(self._change("update", "PATCH", "", encode(sent), if_version, label_id))

    @property
    def _route(self) -> str:
        return f"/{self._several}/{{label_id}}"

    def _change(
        self, verb: str, method: str, step: str, body: bytes | None, if_version: int | None, label_id: Id
    ) -> "Call[Label]":
        route = f"{self._route}{step}"
        return change_call(
            f"{verb}_{self._one}", method, route, label_of, body, if_version, label_id=label_id
        )


class CategoriesResource(LabelsResource):
    """``client.categories``: what the money of a book is for, under Income, Expense and Transfer."""

    _one, _several = "category", "categories"

    def create(
        self,
        name: str,
        parent_id: Id,
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        color: str | None = None,
        icon: str | None = None,
        tax_code: str | None = None,
        idempotency_key: str | None = None,
    ) -> "Label":
        """Create a category in a book.

        Args:
            name: shown to people; those of one parent have different names.
            parent_id: the level above: a root, or a category under one.
            user_id: whose book gets it; default: the user of the token.
            organization_id: instead of a user, the organization whose book gets it.
            color: ``#`` and six hexadecimal digits.
            icon: a name or a character of the program that shows it.
            tax_code: what the tax office or an accountant calls it.
            idempotency_key: one is created per key; default: a new key.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
            LabelExists: another one has this name under the same parent.
            LabelNotFound: the book has no such parent.
            LabelDepth: the tree would have more than six levels.
            ValidationFailed: a value is not one.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        return self._create(
            idempotency_key,
            name=name,
            parent_id=parent_id,
            user_id=user_id,
            organization_id=organization_id,
            color=color,
            icon=icon,
            tax_code=tax_code,
        )

    def update(
        self,
        label_id: Id,
        *,
        name: str | Unset = UNSET,
        parent_id: Id | Unset = UNSET,
        color: str | Unset | None = UNSET,
        icon: str | Unset | None = UNSET,
        tax_code: str | Unset | None = UNSET,
        archived: bool | Unset = UNSET,
        if_version: int | None = None,
    ) -> "Label":
        """Change a category. Arguments that are left out (``wallet_client.UNSET``) change nothing.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            label_id: its id.
            name: shown to people.
            parent_id: moves it, with all that is under it.
            color: ``#`` and six hexadecimal digits; None: none.
            icon: a name or a character of the program that shows it; None: none.
            tax_code: what the tax office or an accountant calls it; None: nothing.
            archived: whether it is no longer offered for new entries.
            if_version: change it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            LabelNotFound: there is none, or the caller may not see its book; or there is no such parent.
            LabelMerged: it was merged into another one.
            LabelExists: another one has this name under the same parent.
            LabelCycle: it would be under itself.
            LabelDepth: the tree would have more than six levels.
            LabelFixed: it is a root.
            OutcomeUnknown: the change may have been made; read it.
        """
        return self._update(
            label_id,
            if_version,
            name=name,
            parent_id=parent_id,
            color=color,
            icon=icon,
            tax_code=tax_code,
            archived=archived,
        )


class PayeesResource(LabelsResource):
    """``client.payees``: the persons and companies that a book pays, or is paid by."""

    _one, _several = "payee", "payees"

    def create(
        self,
        name: str,
        *,
        parent_id: Id | None = None,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        color: str | None = None,
        icon: str | None = None,
        idempotency_key: str | None = None,
    ) -> "Label":
        """Create a payee in a book.

        Args:
            name: shown to people; those of one parent have different names.
            parent_id: the level above; default: none.
            user_id: whose book gets it; default: the user of the token.
            organization_id: instead of a user, the organization whose book gets it.
            color: ``#`` and six hexadecimal digits.
            icon: a name or a character of the program that shows it.
            idempotency_key: one is created per key; default: a new key.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
            LabelExists: another one has this name under the same parent.
            LabelNotFound: the book has no such parent.
            LabelDepth: the tree would have more than six levels.
            ValidationFailed: a value is not one.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        return self._create(
            idempotency_key,
            name=name,
            parent_id=parent_id,
            user_id=user_id,
            organization_id=organization_id,
            color=color,
            icon=icon,
        )

    def update(
        self,
        label_id: Id,
        *,
        name: str | Unset = UNSET,
        parent_id: Id | Unset | None = UNSET,
        color: str | Unset | None = UNSET,
        icon: str | Unset | None = UNSET,
        archived: bool | Unset = UNSET,
        if_version: int | None = None,
    ) -> "Label":
        """Change a payee. Arguments that are left out (``wallet_client.UNSET``) change nothing.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            label_id: its id.
            name: shown to people.
            parent_id: moves it, with all that is under it; None: it is on the first level.
            color: ``#`` and six hexadecimal digits; None: none.
            icon: a name or a character of the program that shows it; None: none.
            archived: whether it is no longer offered for new entries.
            if_version: change it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            LabelNotFound: there is none, or the caller may not see its book; or there is no such parent.
            LabelMerged: it was merged into another one.
            LabelExists: another one has this name under the same parent.
            LabelCycle: it would be under itself.
            LabelDepth: the tree would have more than six levels.
            OutcomeUnknown: the change may have been made; read it.
        """
        return self._update(
            label_id,
            if_version,
            name=name,
            parent_id=parent_id,
            color=color,
            icon=icon,
            archived=archived,
        )


class TagsResource(LabelsResource):
    """``client.tags``: free labels of a book."""

    _one, _several = "tag", "tags"

    def create(
        self,
        name: str,
        *,
        parent_id: Id | None = None,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        color: str | None = None,
        icon: str | None = None,
        idempotency_key: str | None = None,
    ) -> "Label":
        """Create a tag in a book.

        Args:
            name: shown to people; those of one parent have different names.
            parent_id: the level above; default: none.
            user_id: whose book gets it; default: the user of the token.
            organization_id: instead of a user, the organization whose book gets it.
            color: ``#`` and six hexadecimal digits.
            icon: a name or a character of the program that shows it.
            idempotency_key: one is created per key; default: a new key.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
            LabelExists: another one has this name under the same parent.
            LabelNotFound: the book has no such parent.
            LabelDepth: the tree would have more than six levels.
            ValidationFailed: a value is not one.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        return self._create(
            idempotency_key,
            name=name,
            parent_id=parent_id,
            user_id=user_id,
            organization_id=organization_id,
            color=color,
            icon=icon,
        )

    def update(
        self,
        label_id: Id,
        *,
        name: str | Unset = UNSET,
        parent_id: Id | Unset | None = UNSET,
        color: str | Unset | None = UNSET,
        icon: str | Unset | None = UNSET,
        archived: bool | Unset = UNSET,
        if_version: int | None = None,
    ) -> "Label":
        """Change a tag. Arguments that are left out (``wallet_client.UNSET``) change nothing.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            label_id: its id.
            name: shown to people.
            parent_id: moves it, with all that is under it; None: it is on the first level.
            color: ``#`` and six hexadecimal digits; None: none.
            icon: a name or a character of the program that shows it; None: none.
            archived: whether it is no longer offered for new entries.
            if_version: change it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            LabelNotFound: there is none, or the caller may not see its book; or there is no such parent.
            LabelMerged: it was merged into another one.
            LabelExists: another one has this name under the same parent.
            LabelCycle: it would be under itself.
            LabelDepth: the tree would have more than six levels.
            OutcomeUnknown: the change may have been made; read it.
        """
        return self._update(
            label_id,
            if_version,
            name=name,
            parent_id=parent_id,
            color=color,
            icon=icon,
            archived=archived,
        )
