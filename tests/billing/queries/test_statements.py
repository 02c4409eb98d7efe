"""A customer's account over some days, read from the ledger."""

from datetime import UTC, date, datetime
from decimal import Decimal

from django.test import Client

from apps.billing.documents.pdf import as_pdf
from apps.billing.documents.statements import statement_document
from apps.billing.documents.words import words_of
from apps.billing.models import CreditLot, LedgerAccount, LedgerTransaction
from apps.billing.parties import details_of
from apps.billing.queries.statements import Account, statement, usual_account
from apps.billing.services.drawing import draw_usage
from apps.billing.services.ledger import account_of, book
from apps.billing.services.lots import adjust_credit, expire_lot, grant_credit
from tests.billing.made import a_wallet, used
from tests.billing.making import an_invoice
from tests.cast import Cast
from tests.pages import text_of

Kind = LedgerTransaction.Kind


def moved(cast: Cast, kind: Kind, at: datetime, amount: str, number: str = "", customer=None) -> None:
    """What is owed changes by that, against nothing in particular."""
    customer = customer or cast.globex
    receivable = account_of(customer.organization, LedgerAccount.Kind.RECEIVABLE, "USD", customer)
    other = account_of(customer.organization, LedgerAccount.Kind.REVENUE, "USD")
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


# Of prepaid credit


def an_october_of_credit(cast: Cast) -> None:
    """250 on the first, usage of three days, 40 that expire, 10 taken away; November's usage."""
    wallet = a_wallet(cast.globex, "250")
    for day, hour in ((3, 11), (3, 12), (9, 12)):
        used(cast.globex, day=day, hour=hour, price="10.123456789012")
    draw_usage(wallet.pk, at=datetime(2026, 10, 10, tzinfo=UTC))
    grant_credit(
        wallet, Decimal(40), key="promo", at=datetime(2026, 10, 11, tzinfo=UTC), by=None, note="Spring promotion",
        source=CreditLot.Source.GRANT, expires_at=datetime(2026, 10, 20, tzinfo=UTC),
    )  # fmt: skip
    adjust_credit(
        wallet, Decimal(10), key="back", reason="Booked twice", at=datetime(2026, 10, 12, tzinfo=UTC), by=None
    )
    expire_lot(CreditLot.objects.get(note="Spring promotion").pk, at=datetime(2026, 10, 21, tzinfo=UTC))
    used(cast.globex, day=2, month=11, price="20.5")
    draw_usage(wallet.pk, at=datetime(2026, 11, 5, tzinfo=UTC))


def test_credit_is_told_movement_by_movement_and_usage_by_the_day(cast: Cast):
    an_october_of_credit(cast)
    found = statement(cast.globex, date(2026, 10, 1), date(2026, 10, 31), Account.CREDIT)
    assert [(each.on.day, each.kind, each.number, each.amount) for each in found.movements] == [
        (1, Kind.GRANT, "", 250),
        (3, Kind.USAGE, "", Decimal("-20.246913578024")),
        (9, Kind.USAGE, "", Decimal("-10.123456789012")),
        (11, Kind.GRANT, "Spring promotion", 40),
        (12, Kind.ADJUSTMENT, "Booked twice", -10),
        (20, Kind.EXPIRY, "Spring promotion", -40),
    ]
    assert (found.opening, found.closing) == (0, Decimal("209.629629632964"))
    november = statement(cast.globex, date(2026, 11, 1), date(2026, 11, 30), Account.CREDIT)
    assert (november.opening, november.closing) == (found.closing, cast.globex.wallet.balance)


def test_over_many_days_usage_is_told_by_the_month(cast: Cast):
    an_october_of_credit(cast)
    found = statement(cast.globex, date(2026, 9, 15), date(2026, 12, 31), Account.CREDIT)
    months = [(each.since, each.on, each.amount) for each in found.movements if each.kind == Kind.USAGE]
    assert months == [
        (date(2026, 10, 1), date(2026, 10, 9), Decimal("-30.370370367036")),
        (date(2026, 11, 1), date(2026, 11, 2), Decimal("-20.5")),
    ]
    assert found.closing == cast.globex.wallet.balance


def test_its_lines_add_up_on_paper(cast: Cast):
    an_october_of_credit(cast)
    document = statement_document(statement(cast.globex, date(2026, 10, 1), date(2026, 10, 31), Account.CREDIT))
    assert (document.title, document.notes) == ("Statement of credit", ())
    assert [(row.description, row.detail, row.unit_price, row.amount) for row in document.rows] == [
        ("Credit given", "", "$250.00", "$250.00"),
        ("Usage", "", "-$20.25", "$229.75"),
        ("Usage", "", "-$10.12", "$219.63"),
        ("Credit given", "Spring promotion", "$40.00", "$259.63"),
        ("Adjustment", "Booked twice", "-$10.00", "$249.63"),
        ("Credit expired", "Spring promotion", "-$40.00", "$209.63"),
    ]
    assert [(fact.label, fact.value) for fact in document.facts] == [
        ("Opening balance", "$0.00"),
        ("Added", "$290.00"),
        ("Used and taken off", "-$80.37"),
        ("Closing balance", "$209.63"),
    ]


def test_whatever_moves_an_account_has_a_word():
    assert {f"moved_{kind}" for kind in Kind} - words_of("en").keys() == {"moved_invoice", "moved_credit_note"}


def test_who_pays_beforehand_sees_credit_first_and_may_choose(client: Client, cast: Cast):
    assert usual_account(cast.globex) is Account.INVOICES
    an_october_of_credit(cast)
    cast.globex.refresh_from_db()
    assert usual_account(cast.globex) is Account.CREDIT
    days = "since=2026-10-01&until=2026-10-31"
    for who, page in (
        (cast.gina, "/portal/billing/statement"),
        (cast.olivia, f"/console/customers/{cast.globex.pk}/billing/statement"),
    ):
        client.force_login(who)
        assert "Spring promotion" in text_of(client.get(f"{page}/?{days}"))
        assert "Nothing is due." in text_of(client.get(f"{page}/?{days}&account=invoices"))
        assert client.get(f"{page}.pdf?{days}").headers["Content-Disposition"] == (
            'attachment; filename="credit-statement-globex-2026-10-01-2026-10-31.pdf"'
        )
        told = client.get(f"{page}.json?{days}").json()
        assert (told["account"], told["opening"], told["closing"]) == ("credit", "0", "209.629629632964")
        assert told["movements"][1] == {
            "on": "2026-10-03", "since": None, "kind": "usage", "number": "", "amount": "-20.246913578024",
            "balance": "229.753086421976",
        }  # fmt: skip
        assert client.get(f"{page}.json?since=x").status_code == 400
