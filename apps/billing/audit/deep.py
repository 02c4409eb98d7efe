"""From the roll-ups on: ledger, invoices, wallets. What comes before is in usage's own proof."""

from dataclasses import dataclass
from uuid import UUID

from apps.billing.audit.findings import Finding
from apps.billing.audit.invoices import invoice_findings, not_invoiced
from apps.billing.audit.ledger import ledger_findings
from apps.billing.audit.payments import payment_findings
from apps.billing.audit.wallets import not_drawn, wallet_findings
from apps.billing.models import Invoice, LedgerTransaction

MOST_FINDINGS = 10_000  # are enough to see that something is wrong


@dataclass(frozen=True)
class Deep:
    """What was proved, and all that does not add up."""

    invoices: int
    transactions: int
    findings: list[Finding]
    not_invoiced: list[Finding]  # no faults: late usage that the next run invoices
    not_drawn: list[Finding]  # likewise: usage that wallets pay a moment later

    @property
    def is_equal(self) -> bool:
        return not self.findings


def deep_audit(organization_id: UUID | None = None) -> Deep:
    """Of one organization, or of all."""
    owned = {} if organization_id is None else {"organization_id": organization_id}
    findings = [
        *ledger_findings(organization_id),
        *invoice_findings(organization_id),
        *payment_findings(organization_id),
        *wallet_findings(organization_id),
    ]
    return Deep(
        invoices=Invoice.objects.filter(**owned).count(),
        transactions=LedgerTransaction.objects.filter(**owned).count(),
        findings=findings[:MOST_FINDINGS],
        not_invoiced=not_invoiced(organization_id)[:MOST_FINDINGS],
        not_drawn=not_drawn(organization_id)[:MOST_FINDINGS],
    )
