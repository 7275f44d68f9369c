"""A contract for import-linter: a room's router, repository and schemas are imported inside the room only."""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PrivateModules(Contract):
    """Modules with these names are imported only from the package that they lie in."""

    names: Any = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  # its name in the base class
        """Find the imports that cross the border of a package."""
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
        """Print each import that should not be."""
        for importer, module in check.metadata["faults"]:
            output.print_error(
                f"{importer} imports {module}, which is private to its room: import its service"
            )
