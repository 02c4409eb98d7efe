"""Azure OpenAI: OpenAI's protocol at the operator's own resource, where models go by the names of deployments.

    /openai/deployments/{deployment}/chat/completions?api-version=…   the deployment is in the path
    /openai/v1/chat/completions                                       it is the body's model

Only the operations that we know are reached: beside them lie the resource's own affairs.
"""

import re

from msgspec.structs import replace

from .base import Ask, Headers, Operation
from .form import Form
from .openai import OpenAI

PREFIX = b"/openai/"
V1 = b"/openai/v1"
DEPLOYMENTS = b"/openai/deployments/"

_DEPLOYMENT = re.compile(rb"/openai/deployments/([A-Za-z0-9._~-]{1,64})(/[a-z_/]+)")


class Azure(OpenAI):
    """See the module."""

    name = "azure"

    def read(self, operation: Operation, body: bytes) -> Ask:
        return _at_deployment(operation, super().read(operation, body))

    def read_form(self, operation: Operation, form: Form, size: int) -> Ask:
        return _at_deployment(operation, super().read_form(operation, form, size))

    def rename(self, operation: Operation, body: bytes, model: str) -> tuple[Operation, bytes]:
        if not operation.model:
            return super().rename(operation, body, model)
        rest = operation.path[len(DEPLOYMENTS) + len(operation.model) :]
        return replace(operation, path=DEPLOYMENTS + model.encode() + rest, model=model), body

    def sign(self, headers: Headers, secret: bytes) -> Headers:
        return [*headers, (b"api-key", secret)]

    def target(self, operation: Operation) -> bytes:
        """Calls that came by OpenAI's own paths go to the v1 form, which has the same ones."""
        return operation.path if operation.path.startswith(PREFIX) else V1 + operation.path


def find_operation(path: bytes, known: dict[bytes, Operation]) -> Operation | None:
    """What a POST to `path` does, of the operations that are known by OpenAI's paths."""
    if match := _DEPLOYMENT.fullmatch(path):
        operation = known.get(match[2])
        return None if operation is None else replace(operation, path=path, model=match[1].decode())
    operation = known.get(path.removeprefix(V1)) or known.get(path.removeprefix(PREFIX[:-1]))
    return None if operation is None else replace(operation, path=path)


def _at_deployment(operation: Operation, ask: Ask) -> Ask:
    """The path decides, whatever the body says."""
    if operation.model:
        ask.model = operation.model
    return ask
