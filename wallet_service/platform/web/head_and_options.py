"""HEAD and OPTIONS for paths that programs check without reading the response, such as load balancers."""

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.responses import Response

_ALLOW = {"Allow": "GET, HEAD, OPTIONS"}


async def _options() -> Response:
    return Response(status_code=204, headers=_ALLOW)


def add_head_and_options(router: APIRouter) -> None:
    """Let every path of the router that answers GET answer HEAD and OPTIONS too.

    HEAD has the status and headers of GET; the server leaves the body out. The OpenAPI document has GET only.
    """
    for route in [each for each in router.routes if isinstance(each, APIRoute)]:
        path = route.path.removeprefix(router.prefix)
        for method, endpoint in (("HEAD", route.endpoint), ("OPTIONS", _options)):
            name = f"{route.name}_{method.lower()}"
            router.add_api_route(path, endpoint, methods=[method], name=name, include_in_schema=False)
