"""What is owed, for whoever runs the installation: to look at, never to change."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from apps.billing.models import (
    BilledZone,
    BillingDetails,
    Coupon,
    CreditLot,
    CreditNote,
    CreditNoteLine,
    Dispute,
    ExchangeRate,
    Invoice,
    InvoiceLine,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Mailing,
    Payment,
    PaymentEvent,
    PaymentProviderSettings,
    Plan,
    PlanVersion,
    Refund,
    Seller,
    Subscription,
    TaxRate,
    Voucher,
    Wallet,
)
from apps.kit.admin import ReadOnlyAdmin


class ReadOnlyRows(admin.TabularInline):
    """Rows of what a page is about."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class InvoiceLines(ReadOnlyRows):
    model = InvoiceLine
    fields = ["position", "kind", "description", "quantity", "unit", "unit_price", "precise_amount", "amount"]


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "organization", "customer", "kind", "state", "total", "currency", "issued_on", "due_on"]
    list_select_related = ["organization", "customer"]
    list_filter = ["state", "kind"]
    search_fields = ["number", "customer__name", "organization__name"]
    ordering = ["-created_at"]
    fields = [
        *("organization", "customer", "subscription", "kind", "state", "key", "version", "period_start", "period_end"),
        *("number", "finalized_at", "issued_on", "due_on", "seller", "buyer", "currency", "per_dollar"),
        *("precise_subtotal", "subtotal", "discount", "discounts", "tax", "total", "paid", "credited"),
        *("built_at", "sent_at", "reminders", "reminded_at", "stripe_id", "memo", "created_at"),
    ]
    inlines = [InvoiceLines]


class CreditNoteLines(ReadOnlyRows):
    model = CreditNoteLine
    fields = ["line", "description", "amount"]


@admin.register(CreditNote)
class CreditNoteAdmin(ReadOnlyAdmin):
    list_display = ["number", "organization", "invoice", "settlement", "total", "issued_on"]
    list_select_related = ["organization", "invoice__customer"]
    list_filter = ["settlement"]
    search_fields = ["number", "invoice__number", "organization__name"]
    ordering = ["-created_at"]
    fields = [
        *("organization", "invoice", "key", "number", "issued_on", "reason", "settlement", "subtotal", "tax", "total"),
        *("created_by", "created_at"),
    ]
    inlines = [CreditNoteLines]


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ["provider_id", "organization", "customer", "provider", "state", "amount", "currency", "created_at"]
    list_select_related = ["organization", "customer"]
    list_filter = ["state", "provider"]
    search_fields = ["provider_id", "customer__name", "organization__name"]
    ordering = ["-created_at"]
    fields = [
        *("organization", "customer", "invoice", "provider", "provider_id", "state", "currency", "amount", "tax"),
        *("credit", "refunded", "details", "paid_at", "error", "disputed_at", "method", "is_automatic"),
        *("created_by", "created_at"),
    ]


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ["provider_id", "payment", "state", "amount", "credit", "unrecovered", "created_at"]
    list_select_related = ["payment"]
    list_filter = ["state"]
    ordering = ["-created_at"]
    fields = [
        *("payment", "credit_note", "provider_id", "state", "amount", "net", "tax", "credit", "unrecovered", "error"),
        *("created_by", "reason", "created_at"),
    ]


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    list_display = ["provider_id", "payment", "state", "amount", "held", "opened_at", "closed_at"]
    list_select_related = ["payment"]
    list_filter = ["state"]
    ordering = ["-opened_at"]
    fields = [
        *("payment", "provider_id", "state", "amount", "reason", "answer_by", "held", "refund", "changes"),
        *("opened_at", "closed_at"),
    ]


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnlyAdmin):
    list_display = ["event_id", "organization", "provider", "kind", "outcome", "attempts", "received_at"]
    list_select_related = ["organization"]
    list_filter = ["outcome", "provider"]
    search_fields = ["event_id", "organization__name"]
    ordering = ["-received_at"]
    fields = [
        *("organization", "provider", "event_id", "kind", "payload", "received_at", "processed_at", "outcome"),
        *("attempts", "error"),
    ]


@admin.register(PaymentProviderSettings)
class PaymentProviderSettingsAdmin(ReadOnlyAdmin):
    list_display = ["organization", "provider", "is_on", "collects", "key_hint", "kek_id", "checked_at"]
    list_select_related = ["organization"]
    fields = ["organization", "provider", "is_on", "collects", "key_hint", "webhook_hint", "checked_at", "created_at"]


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ["customer", "settlement", "balance", "overdrawn", "drawn", "draws_from"]
    list_select_related = ["customer", "account"]
    list_filter = ["settlement"]
    search_fields = ["customer__name"]
    fields = [
        *("customer", "account", "balance", "settlement", "draws_from", "drawn", "spent_before", "overdrawn"),
        *("prepaid_since", "credit_line", "low_balance", "low_balance_told_at", "created_at"),
    ]


@admin.register(CreditLot)
class CreditLotAdmin(ReadOnlyAdmin):
    list_display = ["key", "wallet", "source", "category", "priority", "amount", "remaining", "expires_at"]
    list_select_related = ["wallet__customer"]
    list_filter = ["source", "category"]
    search_fields = ["key", "wallet__customer__name"]
    ordering = ["-created_at"]
    fields = [
        *("wallet", "category", "source", "priority", "amount", "remaining", "effective_at", "expires_at", "key"),
        *("note", "created_at"),
    ]


@admin.register(Voucher)
class VoucherAdmin(ReadOnlyAdmin):
    list_display = ["hint", "organization", "amount", "uses", "most_uses", "expires_at", "revoked_at"]
    list_select_related = ["organization"]
    fields = [
        *("organization", "hint", "amount", "most_uses", "uses", "expires_at", "credit_days", "note", "revoked_at"),
        "created_at",
    ]


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    list_display = ["kind", "currency", "organization", "customer", "balance"]
    list_select_related = ["organization", "customer"]
    list_filter = ["kind"]
    search_fields = ["organization__name", "customer__name"]
    fields = ["organization", "customer", "kind", "currency", "balance"]


class LedgerEntries(ReadOnlyRows):
    model = LedgerEntry
    fields = ["account", "amount"]


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ReadOnlyAdmin):
    list_display = ["key", "kind", "organization", "customer", "at", "created_at"]
    list_select_related = ["organization", "customer"]
    list_filter = ["kind"]
    search_fields = ["key", "customer__name", "organization__name"]
    ordering = ["-created_at"]
    fields = ["organization", "customer", "kind", "key", "at", "created_at", "source"]
    inlines = [LedgerEntries]


class PlanVersions(ReadOnlyRows):
    model = PlanVersion
    fields = ["number", "currency", "interval", "alignment", "fee", "fee_due", "settlement", "allowance", "minimum"]


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ["name", "slug", "organization", "retired_at"]
    list_select_related = ["organization"]
    search_fields = ["name", "organization__name"]
    fields = ["organization", "name", "slug", "description", "retired_at", "created_at"]
    inlines = [PlanVersions]


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = ["customer", "version", "starts_at", "ends_at", "trial_ends_at"]
    list_select_related = ["customer", "version__plan"]
    search_fields = ["customer__name", "version__plan__name"]
    ordering = ["-created_at"]
    fields = [
        *("customer", "version", "starts_at", "ends_at", "anchor_on", "time_zone", "trial_ends_at", "began_at"),
        "created_at",
    ]


@admin.register(Coupon)
class CouponAdmin(ReadOnlyAdmin):
    list_display = ["code", "organization", "percent", "amount", "currency", "periods", "retired_at"]
    list_select_related = ["organization"]
    fields = ["organization", "code", "percent", "amount", "currency", "periods", "retired_at", "created_at"]


@admin.register(Seller)
class SellerAdmin(ReadOnlyAdmin):
    list_display = ["organization", "legal_name", "country", "currency", "invoice_prefix", "grace_days", "finalizes"]
    list_select_related = ["organization"]
    fields = [
        *("organization", "legal_name", "address", "country", "tax_id", "currency", "invoice_prefix"),
        *("credit_note_prefix", "tax_rounding", "taxed_when", "grace_days", "net_days", "finalizes", "payment_terms"),
        *("footer", "reminder_days", "final_step"),
    ]


@admin.register(BillingDetails)
class BillingDetailsAdmin(ReadOnlyAdmin):
    list_display = ["customer", "legal_name", "country", "currency", "tax_status"]
    list_select_related = ["customer"]
    search_fields = ["customer__name", "legal_name"]
    fields = [
        *("customer", "legal_name", "address", "country", "tax_id", "email", "currency", "language", "tax_status"),
        *("tax_rate", "purchase_order", "net_days", "is_reminded", "stripe_id"),
    ]


@admin.register(TaxRate)
class TaxRateAdmin(ReadOnlyAdmin):
    list_display = ["name", "country", "percent", "is_inclusive", "organization", "effective_from"]
    list_select_related = ["organization"]
    fields = ["organization", "name", "country", "percent", "is_inclusive", "effective_from"]


@admin.register(ExchangeRate)
class ExchangeRateAdmin(ReadOnlyAdmin):
    list_display = ["currency", "per_dollar", "organization", "effective_from", "source"]
    list_select_related = ["organization"]
    fields = ["organization", "currency", "per_dollar", "effective_from", "source"]


@admin.register(Mailing)
class MailingAdmin(ReadOnlyAdmin):
    list_display = ["invoice", "kind", "to", "error"]
    list_select_related = ["invoice__customer"]
    search_fields = ["to", "invoice__number"]
    fields = ["invoice", "credit_note", "kind", "to", "error"]


@admin.register(BilledZone)
class BilledZoneAdmin(ReadOnlyAdmin):
    list_display = ["organization", "time_zone", "since_on"]
    list_select_related = ["organization"]
    fields = ["organization", "time_zone", "since_on"]
