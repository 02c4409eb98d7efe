"""What people decide about findings, and do about them with one click. Each is in the audit log."""

from datetime import datetime

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User
from apps.alerts.actions import take_action
from apps.alerts.models import Finding
from apps.alerts.terms import Action, Subject


@transaction.atomic
def decide_finding(finding: Finding, state: Finding.State, *, by: User, at: datetime) -> None:
    """Acknowledge or dismiss it. Dismissed, its subject is not found for the same again while this goes on."""
    finding = _locked(finding)
    if finding.state != state:
        changes = {"state": (finding.state, state.value)}
        finding.state, finding.decided_by, finding.decided_at = state, by, at
        finding.save(update_fields=["state", "decided_by", "decided_at"])
        _record(finding, f"finding.{'acknowledge' if state == Finding.State.ACKNOWLEDGED else 'dismiss'}", by, changes)


@transaction.atomic
def act_on_finding(finding: Finding, action: Action, *, by: User, at: datetime, is_operator: bool) -> str:
    """Do `action` to its subject, and acknowledge it. Says what was done. Raises CannotAct, ValidationError."""
    finding = _locked(finding)
    subject = Subject(finding.subject)
    done = take_action(finding.customer, subject, finding.subject_id, action, by=by, is_operator=is_operator)
    finding.action = action
    finding.save(update_fields=["action"])
    decide_finding(finding, Finding.State.ACKNOWLEDGED, by=by, at=at)
    return done


def _locked(finding: Finding) -> Finding:
    rows = Finding.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("organization", "customer").get(pk=finding.pk)


def _record(finding: Finding, action: str, by: User, changes: audit.Changes) -> None:
    audit.record(finding.organization, action, finding, actor=by, changes=changes, customer=finding.customer)
