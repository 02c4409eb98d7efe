"""manage.py export_invoices --format csv|jsonl|pdf [--since DAY] [--until DAY] [--organization S] [--output PATH]"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from tqdm import tqdm

from apps.billing.documents.content import credit_note_document, invoice_document
from apps.billing.documents.faces import file_name
from apps.billing.documents.pdf import as_pdf
from apps.billing.documents.plain import credit_note_plain, invoice_plain
from apps.billing.queries.exporting import COLUMNS, credit_notes_issued, invoices_issued, rows
from apps.kit.commands import Command as BaseCommand
from apps.usage.commands import add_days, add_optional_organization, optional_organization
from apps.usage.tables import csv_lines

BESIDE = ".writing"  # of a file that is not whole yet


class Command(BaseCommand):
    help = (
        "Writes final invoices and credit notes, by the day of issue, for accounting. CSV has a row a document, JSONL"
        " the lines too, PDF a file each. Written again, the same documents are the same bytes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        add_days(parser)
        parser.add_argument("--format", choices=("csv", "jsonl", "pdf"), required=True)
        parser.add_argument("--output", type=Path, help="a file; a folder of PDFs. Otherwise standard output")
        parser.add_argument("--dry-run", action="store_true", help="tell how many there are, and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["format"] != "pdf" and options["output"] is None and not options["dry_run"]:
            self._write(sys.stdout.write, options)
        else:
            super().handle(*args, **options)

    def run(self, **options: Any) -> dict[str, object]:
        invoices, notes = self._found(options)
        told: dict[str, object] = {
            "dry_run": options["dry_run"],
            "invoices": invoices.count(),
            "credit_notes": notes.count(),
        }
        if options["dry_run"]:
            return told
        output: Path | None = options["output"]
        if output is None:
            raise CommandError("PDFs need a folder: --output FOLDER.")
        if options["format"] == "pdf":
            return told | {"written": self._write_pdfs(output, options)}
        beside = output.with_name(output.name + BESIDE)
        with beside.open("w", encoding="utf-8", newline="") as file:
            self._write(file.write, options)
        beside.replace(output)  # whole or not at all
        return told | {"written": 1}

    def _found(self, options: dict[str, Any]) -> tuple[Any, Any]:
        organization, since, until = optional_organization(options), options["since"], options["until"]
        if since and until and since > until:
            raise CommandError(f"--since {since} is after --until {until}.")
        return invoices_issued(organization, since, until), credit_notes_issued(organization, since, until)

    def _write(self, write: Any, options: dict[str, Any]) -> None:
        with transaction.atomic():  # iterators are of one snapshot and one connection
            for text in _lines(options["format"], *self._found(options)):
                write(text)

    def _write_pdfs(self, folder: Path, options: dict[str, Any]) -> int:
        """Those that are there already, and the same, stay as they are. Returns how many were written."""
        invoices, notes = self._found(options)
        written = 0
        for organization, number, content in tqdm(_pdfs(invoices, notes), unit=" documents", disable=None):
            path = folder / organization / f"{file_name(number)}.pdf"
            if path.is_file() and path.read_bytes() == content:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(path.name + BESIDE)
            beside.write_bytes(content)
            beside.replace(path)
            written += 1
        return written


def _lines(file_format: str, invoices: Any, notes: Any) -> Iterator[str]:
    if file_format == "csv":
        yield from csv_lines(COLUMNS, rows(invoices, notes))
        return
    for invoice in invoices.iterator(chunk_size=200):
        yield _json({"document": "invoice", **invoice_plain(invoice)})
    for note in notes.iterator(chunk_size=200):
        yield _json({"document": "credit_note", **credit_note_plain(note)})


def _pdfs(invoices: Any, notes: Any) -> Iterable[tuple[str, str, bytes]]:
    for invoice in invoices.iterator(chunk_size=50):
        yield invoice.organization.slug, invoice.number, as_pdf(invoice_document(invoice))
    for note in notes.iterator(chunk_size=50):
        yield note.organization.slug, note.number, as_pdf(credit_note_document(note))


def _json(plain: dict[str, Any]) -> str:
    return json.dumps(plain, ensure_ascii=False) + "\n"
