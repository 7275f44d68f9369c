"""What labels of one kind must be, in Python: a model that the database has to agree with."""

from dataclasses import dataclass

MOST_LEVELS = 6


@dataclass
class Label:
    """A label as it is stored."""

    name: str
    parent: str | None = None
    merged_into: str | None = None
    version: int = 1


class Model:
    """The labels of a book. Each change returns None, or the code by which it is refused."""

    def __init__(self) -> None:
        self.labels: dict[str, Label] = {}

    def target(self, label_id: str) -> str:
        """The label that stands for a label."""
        while (into := self.labels[label_id].merged_into) is not None:
            label_id = into
        return label_id

    def parent(self, label_id: str) -> str | None:
        """The label above one that stands for itself."""
        above = self.labels[label_id].parent
        return None if above is None else self.target(above)

    def add(self, label_id: str, name: str, parent: str | None) -> str | None:
        label = Label(name, None if parent is None else self.target(parent))
        return self._try(label_id, label)

    def rename(self, label_id: str, name: str) -> str | None:
        old = self.labels[label_id]
        if old.merged_into is not None:
            return "label_merged"
        return None if old.name == name else self._change(label_id, name=name)

    def move(self, label_id: str, parent: str | None) -> str | None:
        old = self.labels[label_id]
        if old.merged_into is not None:
            return "label_merged"
        shown = None if old.parent is None else self.target(old.parent)
        if parent == shown:
            return None
        above = None if parent is None else self.target(parent)
        if above == label_id:
            return "label_cycle"
        return None if above == old.parent else self._change(label_id, parent=above)

    def merge(self, label_id: str, into: str) -> str | None:
        if label_id == into:
            return "label_cycle"
        if self.labels[label_id].merged_into == into:
            return None
        return self._change(label_id, merged_into=into)

    def unmerge(self, label_id: str) -> str | None:
        if self.labels[label_id].merged_into is None:
            return None
        return self._change(label_id, merged_into=None)

    def delete(self, label_id: str) -> str | None:
        if any(label_id in (each.parent, each.merged_into) for each in self.labels.values()):
            return "label_in_use"
        del self.labels[label_id]
        return None

    def _change(self, label_id: str, **members: str | None) -> str | None:
        old = self.labels[label_id]
        label = Label(**vars(old) | members | {"version": old.version + 1})
        return self._try(label_id, label, is_merge=label.merged_into is not None)

    def _try(self, label_id: str, label: Label, *, is_merge: bool = False) -> str | None:
        before = dict(self.labels)
        if not is_merge and any(
            (each.parent, each.name.lower(), each.merged_into) == (label.parent, label.name.lower(), None)
            for other, each in self.labels.items()
            if other != label_id
        ):
            return "label_exists"
        self.labels = before | {label_id: label}
        fault = self._fault()
        if fault is not None:
            self.labels = before
        return fault

    def _fault(self) -> str | None:
        """What is wrong with the whole tree: walks up from each label, and counts."""
        deepest = 0
        for start in self.labels:
            at: str | None = start
            steps = levels = 0
            while at is not None:
                steps += 1
                if steps > len(self.labels):
                    return "label_cycle"
                label = self.labels[at]
                if label.merged_into is None:
                    levels += 1
                    at = label.parent
                else:
                    at = label.merged_into
            deepest = max(deepest, levels)
        return "label_depth" if deepest > MOST_LEVELS else None
