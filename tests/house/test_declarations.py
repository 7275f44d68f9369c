"""What rooms define and what they declare is the same."""

import pytest
from fastapi.routing import APIRoute
from house.notes.room import ROOM as NOTES
from support.settings import make_settings

from wallet_service.core.errors import ERRORS
from wallet_service.core.room import Room, problems_of
from wallet_service.platform.web.body import StrictRoute
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app


def test_every_problem_is_declared_by_a_room() -> None:
    in_service = {code for code, error in ERRORS.items() if error.__module__.startswith("wallet_service.")}
    assert in_service == set(problems_of(ROOMS))


@pytest.mark.parametrize("room", [*ROOMS, NOTES], ids=lambda room: room.name)
def test_what_a_room_declares_lies_in_the_file_of_its_name(room: Room) -> None:
    """Who knows one room finds the same things in every other."""
    assert room.lifespan is None or room.lifespan.startswith("lifespan:open_")
    assert room.commands in (None, "commands:add_commands")


def test_every_path_of_the_api_has_the_strict_route() -> None:
    """Without it no read of the path is recorded, and a filter with a wrong name selects everything."""
    app = create_app(make_settings(), "postgresql://unused@127.0.0.1:1/none")
    routes = [each for each in app.routes if isinstance(each, APIRoute) and each.path.startswith("/api/")]
    assert len(routes) > 50
    assert [each.path for each in routes if not isinstance(each, StrictRoute)] == []


def test_a_body_limit_of_a_template_is_refused() -> None:
    room = Room(
        name="files",
        module="wallet_service.files.room",
        summary="files",
        body_limits={"/api/v1/files/{file_id}": lambda _: 1},
    )
    app = create_app(make_settings(), "postgresql://unused@127.0.0.1:1/none", rooms=(*ROOMS, room))
    with pytest.raises(ValueError, match=r"files/\{file_id\}"):
        app.build_middleware_stack()
