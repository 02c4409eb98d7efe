"""A customer's account over some days, read from the ledger."""

from datetime import UTC, date, datetime
from decimal import Decimal

from django.test import Client

from apps.billing.documents.pdf import as_pdf
from apps.billing.documents.statements import statement_document
from apps.billing.models import LedgerAccount, LedgerTransaction
from apps.billing.parties import details_of
from apps.billing.queries.statements import statement
from apps.billing.services.ledger import account_of, book
from tests.billing.making import an_invoice
from tests.cast import Cast
from tests.pages import text_of

Account, Kind = LedgerAccount.Kind, LedgerTransaction.Kind


def moved(cast: Cast, kind: Kind, at: datetime, amount: str, number: str = "", customer=None) -> None:
    """What is owed changes by that, against nothing in particular."""
    customer = customer or cast.globex
    receivable = account_of(customer.organization, Account.RECEIVABLE, "USD", customer)
    other = account_of(customer.organization, Account.REVENUE, "USD")
    key = f"{kind}:{at}:{amount}:{customer.pk}"
    entries = {receivable: -Decimal(amount), other: Decimal(amount)}
    book(
        customer.organization, kind, key=key, at=at, entries=entries, customer=customer, source={"number": number}
    )  # fmt: skip


def a_year(cast: Cast) -> None:
    moved(cast, Kind.INVOICE, datetime(2026, 9, 2, tzinfo=UTC), "50", "INV-00001")
    moved(cast, Kind.PAYMENT, datetime(2026, 10, 1, 3, tzinfo=UTC), "-50", "INV-00001")
    moved(cast, Kind.INVOICE, datetime(2026, 10, 2, tzinfo=UTC), "119", "INV-00002")
    moved(cast, Kind.CREDIT_NOTE, datetime(2026, 10, 31, 23, tzinfo=UTC), "-19", "CN-00001")
    moved(cast, Kind.INVOICE, datetime(2026, 11, 2, tzinfo=UTC), "70", "INV-00003")
    moved(cast, Kind.INVOICE, datetime(2026, 10, 2, tzinfo=UTC), "999", "INV-00009", cast.initech)


def test_balances_go_on_from_what_was_before(cast: Cast):
    a_year(cast)
    found = statement(cast.globex, date(2026, 10, 1), date(2026, 10, 31))
    assert (found.opening, found.closing) == (50, 100)
    assert [(each.on.day, each.kind, each.number, each.amount, each.balance) for each in found.movements] == [
        (1, Kind.PAYMENT, "INV-00001", -50, 0),
        (2, Kind.INVOICE, "INV-00002", 119, 119),
        (31, Kind.CREDIT_NOTE, "CN-00001", -19, 100),
    ]
    assert statement(cast.globex, date(2026, 11, 1), date(2026, 11, 30)).opening == found.closing


def test_days_are_the_organizations(cast: Cast):
    a_year(cast)
    cast.acme.time_zone = "America/New_York"
    cast.acme.save()
    cast.globex.organization.refresh_from_db()
    found = statement(cast.globex, date(2026, 10, 1), date(2026, 10, 31))
    assert [each.on for each in found.movements] == [date(2026, 10, 1), date(2026, 10, 31)]
    assert found.opening == 0  # it was paid on the last of September there


def test_open_items_are_what_is_due(cast: Cast):
    an_invoice(cast.globex, due_on=date(2026, 12, 3))
    an_invoice(cast.globex, paid=Decimal(30))
    an_invoice(cast.globex, state="paid", paid=Decimal(100))
    found = statement(cast.globex, date(2026, 10, 1), date(2026, 10, 31))
    assert [(invoice.number, invoice.due) for invoice in found.open_items] == [("INV-00002", 70), ("INV-00001", 100)]
    assert found.due == 170


def test_it_is_a_document_in_the_customers_language(cast: Cast):
    details = details_of(cast.globex)
    details.language = "de"
    details.save()
    a_year(cast)
    an_invoice(cast.globex)
    document = statement_document(statement(cast.globex, date(2026, 10, 1), date(2026, 10, 31)))
    assert (document.title, document.number) == ("Kontoauszug", "01.10.2026 – 31.10.2026")
    assert [(row.description, row.quantity, row.unit_price, row.amount) for row in document.rows][1:] == [
        ("Rechnung INV-00002", "02.10.2026", "119,00\xa0$", "119,00\xa0$"),
        ("Gutschrift CN-00001", "31.10.2026", "-19,00\xa0$", "100,00\xa0$"),
    ]
    assert document.notes[0].value == "INV-00001 · Fällig am 02.12.2026 · 100,00\xa0$"
    assert as_pdf(document) == as_pdf(document)


def test_with_nothing_in_it_it_says_so(cast: Cast):
    document = statement_document(statement(cast.globex, date(2026, 10, 1), date(2026, 10, 31)))
    assert [row.description for row in document.rows] == ["Nothing happened in this period."]
    assert [note.value for note in document.notes] == ["Nothing is due."]


def test_the_pages_of_both_show_it_and_give_it_as_a_file(client: Client, cast: Cast):
    a_year(cast)
    days = "?since=2026-10-01&until=2026-10-31"
    for who, page in (
        (cast.gina, "/portal/billing/statement"),
        (cast.olivia, f"/console/customers/{cast.globex.pk}/billing/statement"),
    ):
        client.force_login(who)
        said = text_of(client.get(f"{page}/{days}"))
        assert "Invoice INV-00002 Oct 2, 2026 $119.00 $119.00" in said
        assert "INV-00009" not in said
        answer = client.get(f"{page}.pdf{days}")
        assert answer.headers["Content-Disposition"] == (
            'attachment; filename="statement-globex-2026-10-01-2026-10-31.pdf"'
        )
        assert client.get(f"{page}/?since=2026-10-02&until=2026-10-01").status_code == 200
        assert client.get(f"{page}.pdf?since=2026-10-02&until=2026-10-01").status_code == 400
        assert client.get(f"{page}/").status_code == 200
