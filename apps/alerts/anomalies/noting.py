"""Findings as rows: one for a subject's episode, however often it is found while that goes on."""

from datetime import datetime, timedelta
from typing import Any

from apps.accounts.models import Organization
from apps.alerts.models import Finding
from apps.alerts.terms import FindingKind, Subject
from apps.customers.models import Customer

OVER_AFTER = timedelta(hours=6)  # of nothing being found; then the next is another episode


def note_finding(
    customer: Customer,
    kind: FindingKind,
    subject: Subject,
    subject_id: str,
    label: str,
    figures: dict[str, Any],
    *,
    at: datetime,
    severity: int = 1,
) -> None:
    """A new finding, or the one that is going on, with the figures of its worst moment. The caller holds the lock."""
    same = {"customer": customer, "kind": kind, "subject": subject, "subject_id": subject_id}
    finding = Finding.objects.filter(ended_at=None, **same).first()
    if finding is None:
        Finding.objects.create(
            organization_id=customer.organization_id,
            subject_label=label,
            figures=figures,
            severity=severity,
            first_seen_at=at,
            last_seen_at=at,
            **same,
        )
        return
    finding.last_seen_at = max(at, finding.last_seen_at)
    if figures["observed"] > finding.figures["observed"]:
        finding.figures = figures
    finding.save(update_fields=["last_seen_at", "figures"])


def end_quiet_findings(organization: Organization, *, at: datetime) -> None:
    """What was not found again for OVER_AFTER is over; who decides about it may do so still."""
    Finding.objects.filter(organization=organization, ended_at=None, last_seen_at__lt=at - OVER_AFTER).update(
        ended_at=at
    )
