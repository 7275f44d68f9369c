"""Which form of a response a client asks for."""


def accepts(header: str, media_type: str) -> bool:
    """Whether an Accept header names this media type, and not JSON with a higher weight."""
    weights: dict[str, float] = {}
    for media_range in header.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        weights[name] = max((_weight(parameter) for parameter in parameters), default=1.0)
    return weights.get(media_type, 0) > 0 and weights[media_type] >= weights.get("application/json", 0)


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
