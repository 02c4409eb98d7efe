"""What is sent in a body."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request


def read_body(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """What was sent, clean. Raises ValidationError."""
    asked = serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
