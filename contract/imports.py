"""Contracts for import-linter: the order of rooms, and the modules that are private to a room."""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

from wallet_service.rooms import PACKAGES


class PrivateModules(Contract):
    """Modules with these names are imported only within their own package."""

    names: Any = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  # its name in the base class
        """Find imports of these modules from other packages."""
        faults: list[tuple[str, str]] = []
        for module in sorted(graph.modules):
            package, _, name = module.rpartition(".")
            if name in self.names:
                importers = graph.find_modules_that_directly_import(module)
                faults += [
                    (importer, module)
                    for importer in sorted(importers)
                    if not importer.startswith(f"{package}.")
                ]
        return ContractCheck(kept=not faults, metadata={"faults": faults})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each forbidden import."""
        for importer, module in check.metadata["faults"]:
            output.print_error(
                f"{importer} imports {module}, which is private to its room: import its service"
            )


class RoomOrder(Contract):
    """A room imports only rooms before it in ``rooms.py``.

    Modules of a group outside of its rooms (``money/schemas.py``) come before the first room of the group.
    """

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  # its name in the base class
        """Find imports of later rooms."""
        faults: list[tuple[str, str]] = []
        for importer in sorted(graph.modules):
            place = _place(importer)
            if place is None:
                continue
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                other = _place(imported)
                if other is not None and other > place:
                    faults.append((importer, imported))
        return ContractCheck(kept=not faults, metadata={"faults": faults})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each forbidden import."""
        for importer, imported in check.metadata["faults"]:
            output.print_error(f"{importer} imports {imported}, whose room is later in rooms.py")


def _place(module: str) -> tuple[int, int] | None:
    """The position of a module: that of its group, and that of its room; None outside of groups."""
    parts = module.split(".")[1:]
    groups = [package.split(".")[0] for package in PACKAGES]
    if not parts or parts[0] not in groups:
        return None
    group = groups.index(parts[0])
    for length in (2, 1):
        package = ".".join(parts[:length])
        if package in PACKAGES:
            return group, PACKAGES.index(package)
    return group, group - 1
