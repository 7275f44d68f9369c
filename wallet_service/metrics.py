"""What the service counts, for Prometheus. Needs the scope ``admin``: amounts of work are nobody else's business."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from wallet_service.http.auth import Admin
from wallet_service.http.openapi import READS, problems

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(*READS)},
    operation_id="metrics",
    summary="Metrics for Prometheus",
)
async def metrics(request: Request, caller: Admin) -> Response:
    """Sizes of batches, waits and queues of group commit, in the text format of Prometheus."""
    del caller  # only has to be one
    return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)
