"""What a request's customer may read of it, in words. Pure."""

from apps.usage.models import Request


def sold_as(request: Request) -> str:
    """The name of its model for its customer: never what stands behind an alias."""
    return request.alias or request.model_served or request.model


def told(request: Request) -> str:
    """The error as its customer may read it: a provider's message names the model that stands behind an alias."""
    message = request.error_message
    if request.alias:
        for name in sorted({request.model_served, request.model} - {"", request.alias}, key=len, reverse=True):
            message = message.replace(name, request.alias)
    return message
