"""manage.py import_usage FILE --organization acme [--customer globex] [--map OURS=THEIRS …] [--dry-run] [--json]"""

from argparse import ArgumentParser, ArgumentTypeError
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError
from django.utils import timezone
from tqdm import tqdm

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.customers.commands import customer_of
from apps.ingest.columns import is_ours
from apps.ingest.files import Mapped, import_usage, lines_of
from apps.ingest.services import Status

FORMS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class Command(OrganizationCommand):
    help = "Records the usage in a file: ours, Helicone's export, or one whose columns are named. Twice adds nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, metavar="FILE", help="CSV or JSON lines; .gz is unpacked")
        parser.add_argument("--customer", metavar="SLUG", help="whose it is, of lines that name no customer")
        parser.add_argument("--format", choices=("csv", "jsonl"), help="otherwise by the file's name")
        parser.add_argument(
            "--map", type=pair, action="append", default=[], metavar="OURS=THEIRS", help="such as started_at=Date"
        )
        parser.add_argument(
            "--set", type=pair, action="append", default=[], metavar="OURS=VALUE", help="such as provider=openai"
        )
        parser.add_argument("--rejects", type=Path, metavar="FILE", help="for lines not taken (FILE.rejects.jsonl)")
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")

    def run(self, **options: Any) -> dict[str, object]:
        organization = organization_of(options["organization"])
        customer = customer_of(organization, options["customer"]) if options["customer"] else None
        file: Path = options["file"]
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        rejected = options["rejects"] or file.with_name(f"{file.name}.rejects.jsonl")
        mapped = Mapped({theirs: ours for ours, theirs in options["map"]}, dict(options["set"]))
        with ExitStack() as stack:
            bar = stack.enter_context(
                tqdm(total=file.stat().st_size, unit="B", unit_scale=True, desc=file.name, disable=None)
            )

            @cache
            def rejects() -> TextIO:
                return stack.enter_context(rejected.open("w"))

            done = import_usage(
                lines_of(file, options["format"] or form_of(file), lambda read: bar.update(read - bar.n)),
                organization=organization,
                customer=customer,
                mapped=mapped,
                rejects=rejects,
                at=timezone.now(),
                is_dry_run=options["dry_run"],
            )
            has_rejects = rejects.cache_info().currsize > 0
        return {
            "dry_run": options["dry_run"],
            "lines": done.lines,
            "accepted": done[Status.ACCEPTED],
            "duplicates": done[Status.DUPLICATE],
            "conflicts": done[Status.CONFLICT],
            "invalid": done[Status.INVALID],
            "rejects": str(rejected) if has_rejects else None,
        }


def pair(text: str) -> tuple[str, str]:
    """ "a=b" as two. Raises ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ArgumentTypeError(f"“{text}” is not OURS=…")
    if not is_ours(name):
        raise ArgumentTypeError(f"We have no field “{name}”.")
    return name, value


def form_of(file: Path) -> str:
    """By its name, without .gz. Raises CommandError."""
    suffix = Path(file.stem).suffix if file.suffix == ".gz" else file.suffix
    if suffix.lower() not in FORMS:
        raise CommandError(f"Say with --format what {file.name} is: csv or jsonl.")
    return FORMS[suffix.lower()]
