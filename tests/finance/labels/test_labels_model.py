"""Random changes of labels, against the model."""

import json
import random
from typing import Any

import httpx
import pytest
from support.api import Api, Client

from .labels_model import Model

NAMES = ("a", "b", "c", "A")
CALLS = 400


class Run:
    """One search: a book's tags and the model side by side."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)  # noqa: S311  # a test's data
        self.model = Model()
        self.refusals: set[str] = set()

    def any(self) -> str:
        return self.random.choice([*self.model.labels])

    async def step(self) -> None:
        """One change, which both make or refuse in the same way."""
        choices = ["add", "add", "move", "move", "move", "merge", "unmerge", "rename", "delete"]
        what = self.random.choice(choices) if self.model.labels else "add"
        if what == "add":
            await self.add()
            return
        label_id = self.any()
        path = f"/tags/{label_id}"
        if what == "move":
            parent = self.random.choice([None, self.any(), self.any(), self.any()])
            said, answer = (
                self.model.move(label_id, parent),
                await self.client.patch(path, {"parent_id": parent}),
            )
        elif what == "rename":
            name = self.random.choice(NAMES)
            said, answer = self.model.rename(label_id, name), await self.client.patch(path, {"name": name})
        elif what == "merge":
            into = self.any()
            said = self.model.merge(label_id, into)
            answer = await self.client.post(f"{path}/merge", {"into": into})
        elif what == "unmerge":
            said, answer = self.model.unmerge(label_id), await self.client.post(f"{path}/unmerge")
        else:
            said, answer = self.model.delete(label_id), await self.client.delete(path)
        self.same(what, said, answer)

    async def add(self) -> None:
        body: dict[str, Any] = {"name": self.random.choice(NAMES) + str(self.random.randrange(4))}
        if self.model.labels and self.random.random() < 0.8:
            body["parent_id"] = self.random.choice([*self.model.labels][-3:])  # so that there are deep trees
        answer = await self.client.post("/tags", body)
        made = answer.json()["label_id"] if answer.status_code == 201 else "refused"
        said = self.model.add(made, body["name"], body.get("parent_id"))
        self.same("add", said, answer)

    def same(self, what: str, said: str | None, answer: httpx.Response) -> None:
        found = answer.json()["code"] if answer.status_code >= 400 else None
        assert found == said, (what, answer.text)
        if said is not None:
            self.refusals.add(said)

    async def compare(self) -> None:
        """Every label is shown as the model has it, and there are no others."""
        shown: dict[str, dict[str, Any]] = {}
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = (await self.client.get("/tags", **query)).json()
            shown |= {each["label_id"]: each for each in page["items"]}
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert shown.keys() == self.model.labels.keys()
        for label_id, label in self.model.labels.items():
            found = shown[label_id]
            parent = None if label.parent is None else self.model.target(label.parent)
            into = None if label.merged_into is None else self.model.target(label_id)
            wanted = (label.name, parent, into, label.version)
            assert (found["name"], found["parent_id"], found["merged_into"], found["version"]) == wanted


@pytest.mark.parametrize("seed", [1, 2])
async def test_labels_agree_with_the_model(direct_api: Api, seed: int) -> None:
    client = direct_api.user()
    await client.post("/books", {"base_currency": "EUR"})
    run = Run(client, seed)
    for number in range(CALLS // 2):
        await run.step()
        if number % 25 == 24:
            await run.compare()
    assert run.refusals >= {"label_cycle", "label_depth", "label_exists", "label_in_use", "label_merged"}
    verified = json.loads(await direct_api.app.state.database.read("verify_labels", after=None, limit=1000))
    assert verified["faults"] == []
