"""The base of the commands: JSON with --json, a message and exit code 1 for what cannot be done."""

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from apps.kit.errors import Refused


class Command(BaseCommand):
    """A command that does one thing and tells of it: `run` gives what is printed, as a mapping.

    Standard output has the answer and nothing else: with --json one JSON object, otherwise a line a field.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answer = self.run(**options)
        except ValidationError as error:
            raise CommandError(" ".join(_messages(error))) from error
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(_as_json(answer) if options["json"] else _as_lines(answer))

    def run(self, **options: Any) -> Mapping[str, object]:
        """Do it, and give what there is to tell, ready for JSON."""
        raise NotImplementedError


def secret_from(variable: str | None, *, what: str) -> str:
    """A secret from the environment variable of that name, else from standard input; never an argument,
    since everybody on the host can read those. Raises CommandError.
    """
    if variable:
        secret = os.environ.get(variable, "").strip()
        missing = f"The environment variable {variable} is not set: put the {what} there."
    elif sys.stdin.isatty():
        raise CommandError(f"Pipe the {what} in, or name an environment variable that has it.")
    else:
        secret = sys.stdin.readline().strip()
        missing = f"Standard input has no {what}."
    if not secret:
        raise CommandError(missing)
    return secret


def _messages(error: ValidationError) -> list[str]:
    """What is wrong, each message with its field before it."""
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    return [
        message if field == "__all__" else f"{field}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    ]


def _as_json(answer: Mapping[str, object]) -> str:
    return json.dumps(answer, cls=DjangoJSONEncoder)


def _as_lines(answer: Mapping[str, object]) -> str:
    return "\n".join(f"{name.replace('_', ' ')}: {_as_text(value)}" for name, value in answer.items())


def _as_text(value: object) -> str:
    if value is None:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
