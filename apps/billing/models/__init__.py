"""What is owed: plans and who is on them, the ledger, wallets, invoices, and what was paid."""

from apps.billing.models.credited import CreditedDay
from apps.billing.models.disputes import Dispute
from apps.billing.models.documents import (
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoicedDay,
    InvoiceLine,
    InvoiceTax,
    InvoiceTransition,
    NumberSeries,
)
from apps.billing.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from apps.billing.models.mailings import Logo, Mailing
from apps.billing.models.parties import BillingDetails, ExchangeRate, Seller, TaxRate
from apps.billing.models.payments import (
    Payment,
    PaymentAllocation,
    PaymentEvent,
    PaymentMethod,
    PaymentProviderSettings,
    Refund,
)
from apps.billing.models.plans import AppliedCoupon, Coupon, Plan, PlanVersion, Subscription
from apps.billing.models.wallets import AutoTopUp, CreditLot, DrawnDay, LotUse, Voucher, Wallet
from apps.billing.models.zones import BilledZone, MovedDay

__all__ = [
    "AppliedCoupon",
    "AutoTopUp",
    "BilledZone",
    "BillingDetails",
    "Coupon",
    "CreditLot",
    "CreditNote",
    "CreditNoteLine",
    "CreditedDay",
    "Dispute",
    "DrawnDay",
    "ExchangeRate",
    "Invoice",
    "InvoiceLine",
    "InvoiceTax",
    "InvoiceTransition",
    "InvoicedDay",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Logo",
    "LotUse",
    "Mailing",
    "MovedDay",
    "NumberSeries",
    "Payment",
    "PaymentAllocation",
    "PaymentEvent",
    "PaymentMethod",
    "PaymentProviderSettings",
    "Plan",
    "PlanVersion",
    "Refund",
    "Seller",
    "Subscription",
    "TaxRate",
    "Voucher",
    "Wallet",
]
