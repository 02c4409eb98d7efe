"""Choices that the document tells apart by a name each (settings: ENUM_NAME_OVERRIDES)."""

from apps.alerts.terms import Metric as AlertMetric
from apps.billing.models import CreditNote, Invoice, PlanVersion, Refund, Wallet
from apps.billing.terms import INCLUDED, Metric

ALERT_METRICS = list(AlertMetric.values)
CHARGE_METRICS = [metric.value for metric in Metric]
INCLUDED_METRICS = [metric.value for metric in INCLUDED]
WALLET_SETTLEMENTS = list(Wallet.Settlement.values)
PLAN_SETTLEMENTS = list(PlanVersion.Settlement.values)
CREDIT_NOTE_SETTLEMENTS = list(CreditNote.Settlement.values)
INVOICE_STATES = list(Invoice.State.values)
MAILING_STATES = ["waiting", "sent", "failed", "unknown"]
REFUND_STATES = list(Refund.State.values)
