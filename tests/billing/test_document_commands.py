"""send_invoices, export_invoices and remind, by hand."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command

from apps.billing.parties import details_of
from apps.billing.services.sellers import update_seller
from tests.billing.making import a_credit_note, a_draft, an_invoice
from tests.cast import Cast, reread


def ran(*args: str) -> dict:
    written = io.StringIO()
    call_command(*args, "--json", stdout=written)
    return json.loads(written.getvalue())


@pytest.fixture
def globex(cast: Cast):
    cast.globex.email = "globex@example.com"
    cast.globex.save()
    return cast.globex


def test_send_invoices_sends_each_once_and_says_who_cannot_be_reached(cast: Cast, globex):
    an_invoice(globex)
    an_invoice(globex, state="paid")
    nowhere = an_invoice(cast.initech)
    waiting = {"dry_run": True, "sent": 2, "without_an_address": [nowhere.number], "failed": []}
    with pytest.raises(SystemExit, match="1"):
        ran("send_invoices", "--organization", "acme", "--dry-run")
    assert mail.outbox == []
    cast.initech.email = "initech@example.com"
    cast.initech.save()
    assert ran("send_invoices", "--organization", "acme") == waiting | {
        "dry_run": False, "sent": 3, "without_an_address": []
    }  # fmt: skip
    assert ran("send_invoices", "--organization", "acme")["sent"] == 0
    assert len(mail.outbox) == 3


def test_without_an_organization_only_those_who_have_them_sent_by_themselves(cast: Cast, globex):
    update_seller(cast.acme, by=None, sends=False)
    an_invoice(globex)
    assert ran("send_invoices")["sent"] == 0
    assert ran("send_invoices", "--organization", "acme")["sent"] == 1


def exported(*args: str) -> str:
    written = io.StringIO()
    from contextlib import redirect_stdout

    with redirect_stdout(written):
        call_command("export_invoices", *args)
    return written.getvalue()


def test_csv_has_a_row_a_document_whose_columns_add_up_and_no_formulas(cast: Cast, globex):
    details = details_of(globex)
    details.legal_name, details.country = "=HYPERLINK(1)", "FR"
    details.save()
    a_credit_note(an_invoice(globex, ("100",), tax="19"), "40", "7.6")
    an_invoice(cast.initech, state="void")
    a_draft(globex)
    an_invoice(cast.shady)
    rows = list(csv.DictReader(io.StringIO(exported("--format", "csv", "--organization", "acme"))))
    assert [(row["document"], row["number"], row["state"], row["total"]) for row in rows] == [
        ("invoice", "INV-00001", "open", "119.00"),
        ("invoice", "INV-00002", "void", "100.00"),
        ("credit_note", "CN-00001", "", "-47.60"),
    ]
    assert rows[0]["customer_name"] == "'=HYPERLINK(1)"
    assert (rows[0]["taxes"], rows[2]["of_invoice"]) == ("VAT 19 %: 19.00", "INV-00001")


def test_days_are_those_of_issue_both_included(globex):
    for day in ("2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01"):
        an_invoice(globex, issued_on=day)
    told = exported("--format", "jsonl", "--since", "2026-11-01", "--until", "2026-11-30").splitlines()
    assert [json.loads(line)["number"] for line in told] == ["INV-00002", "INV-00003"]
    assert json.loads(told[0])["lines"][0]["amount"] == "100.00"
    with pytest.raises(CommandError, match="is after"):
        exported("--format", "jsonl", "--since", "2026-12-01", "--until", "2026-11-30")


def test_files_are_written_whole_and_pdfs_only_where_they_differ(cast: Cast, globex, tmp_path: Path):
    invoice = an_invoice(globex)
    a_credit_note(invoice)
    told = {"dry_run": False, "invoices": 1, "credit_notes": 1}
    output = ("--output", str(tmp_path))
    assert ran("export_invoices", "--format", "pdf", "--dry-run") == told | {"dry_run": True}
    assert ran("export_invoices", "--format", "pdf", *output) == told | {"written": 2}
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["CN-00001.pdf", "INV-00001.pdf"]
    assert (tmp_path / "acme" / "INV-00001.pdf").read_bytes()[:5] == b"%PDF-"
    assert ran("export_invoices", "--format", "pdf", *output) == told | {"written": 0}
    file = tmp_path / "all.csv"
    ran("export_invoices", "--format", "csv", "--output", str(file))
    assert len(file.read_text().splitlines()) == 3
    with pytest.raises(CommandError, match="PDFs need a folder"):
        ran("export_invoices", "--format", "pdf")


def test_remind_does_what_is_due_and_lets_in_who_paid(cast: Cast, globex):
    update_seller(cast.acme, by=None, reminder_days=[3], final_step="suspend", final_step_days=10)
    invoice = an_invoice(globex)
    with time_machine.travel(datetime(2026, 12, 12, 12, tzinfo=UTC), tick=False):
        told = {"dry_run": False, "reminded": 1, "suspended": 1, "let_in_again": 0}
        assert ran("remind", "--organization", "acme", "--dry-run") == told | {"dry_run": True}
        assert ran("remind", "--organization", "acme") == told
        assert reread(globex).is_suspended
        invoice.state, invoice.paid = "paid", invoice.total
        invoice.save()
        assert ran("remind") == told | {"reminded": 0, "suspended": 0, "let_in_again": 1}
    assert not reread(globex).is_suspended
