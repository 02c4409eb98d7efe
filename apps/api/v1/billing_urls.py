"""The addresses of billing: credit, plans, rate cards, invoices, payments, settings."""

from django.urls import path

from apps.api.v1 import (
    billing,
    billing_settings,
    billing_standing,
    coupons,
    customer_billing,
    invoice_money,
    invoices,
    paying,
    payment_setup,
    payments,
    plans,
    rate_card_changes,
    rate_card_uses,
    rate_cards,
    simulation,
    subscriptions,
    vouchers,
    wallets,
)

_customer = "customers/<uuid:customer_id>"
_wallet = f"{_customer}/wallet"
_invoice = "invoices/<uuid:invoice_id>"
_note = "credit-notes/<uuid:note_id>"
_plan = "plans/<uuid:plan_id>"
_subscription = "subscriptions/<uuid:subscription_id>"
_payment = "payments/<uuid:payment_id>"
_event = "payment-events/<slug:event_id>"
_card = "rate-cards/<uuid:card_id>"

_of_customers = [
    path(f"{_customer}/period", billing_standing.CurrentPeriod.as_view(), name="current-period"),
    path("wallets", wallets.WalletList.as_view(), name="wallets"),
    path(_wallet, wallets.WalletDetail.as_view(), name="wallet"),
    path(f"{_wallet}/lots", billing.WalletLots.as_view(), name="credit-lots"),
    path(f"{_wallet}/grant", wallets.CreditGrant.as_view(), name="credit-grant"),
    path(f"{_wallet}/take", wallets.CreditTake.as_view(), name="credit-take"),
    path(f"{_wallet}/top-up", wallets.CreditTopUp.as_view(), name="credit-top-up"),
    path(f"{_wallet}/redeem", wallets.VoucherRedeem.as_view(), name="voucher-redeem"),
    path(f"{_wallet}/quote", paying.CreditQuote.as_view(), name="credit-quote"),
    path(f"{_wallet}/buy", paying.CreditBuy.as_view(), name="credit-buy"),
    path(f"{_wallet}/auto-top-up", wallets.WalletAutoTopUp.as_view(), name="auto-top-up"),
    path(f"{_customer}/payment-methods", paying.PaymentMethods.as_view(), name="payment-methods"),
    path(f"{_customer}/payment-methods/read", paying.PaymentMethodsRead.as_view(), name="payment-methods-read"),
    path(f"{_customer}/coupons", coupons.CustomerCoupons.as_view(), name="customer-coupons"),
    path(f"{_customer}/coupons/<uuid:coupon_id>", coupons.CustomerCoupon.as_view(), name="customer-coupon"),
    path(f"{_customer}/simulation", simulation.CustomerSimulation.as_view(), name="customer-simulation"),
    path(f"{_customer}/billing-details", customer_billing.CustomerDetails.as_view(), name="billing-details"),
    path(f"{_customer}/statement", customer_billing.CustomerStatement.as_view(), name="statement"),
    path(f"{_customer}/statement/pdf", customer_billing.CustomerStatementPdf.as_view(), name="statement-pdf"),
    path(f"{_customer}/prices", rate_cards.CustomerPrices.as_view(), name="customer-prices"),
    path(f"{_customer}/rates", rate_card_changes.OwnRates.as_view(), name="customer-rates"),
    path(f"{_customer}/rate-card", rate_card_uses.CustomerRateCard.as_view(), name="customer-rate-card"),
]
_of_invoices = [
    path("invoices", invoices.Invoices.as_view(), name="invoices"),
    path(_invoice, invoices.InvoiceOne.as_view(), name="invoice"),
    path(f"{_invoice}/pdf", billing.InvoicePdf.as_view(), name="invoice-pdf"),
    path(f"{_invoice}/lines", invoices.InvoiceLines.as_view(), name="invoice-lines"),
    path(f"{_invoice}/lines/<uuid:line_id>", invoices.InvoiceLine.as_view(), name="invoice-line"),
    path(f"{_invoice}/finalize", invoices.InvoiceFinalize.as_view(), name="invoice-finalize"),
    path(f"{_invoice}/rebuild", invoices.InvoiceRebuild.as_view(), name="invoice-rebuild"),
    path(f"{_invoice}/void", invoices.InvoiceVoid.as_view(), name="invoice-void"),
    path(f"{_invoice}/write-off", invoices.InvoiceWriteOff.as_view(), name="invoice-write-off"),
    path(f"{_invoice}/mark-paid", invoice_money.InvoiceMarkPaid.as_view(), name="invoice-mark-paid"),
    path(f"{_invoice}/credit", invoice_money.InvoiceCredit.as_view(), name="invoice-credit"),
    path(f"{_invoice}/send", invoice_money.InvoiceSend.as_view(), name="invoice-send"),
    path(f"{_invoice}/mailings", invoice_money.InvoiceMailings.as_view(), name="invoice-mailings"),
    path(f"{_invoice}/pay", paying.InvoicePay.as_view(), name="invoice-pay"),
    path("credit-notes", billing.CreditNoteList.as_view(), name="credit-notes"),
    path(_note, billing.CreditNoteDetail.as_view(), name="credit-note"),
    path(f"{_note}/pdf", billing.CreditNotePdf.as_view(), name="credit-note-pdf"),
    path(f"{_note}/send", invoice_money.CreditNoteSend.as_view(), name="credit-note-send"),
]
_of_payments = [
    path("payments", payments.Payments.as_view(), name="payments"),
    path(_payment, payments.PaymentDetail.as_view(), name="payment"),
    path(f"{_payment}/receive", payments.PaymentReceive.as_view(), name="payment-receive"),
    path(f"{_payment}/apply", payments.PaymentApply.as_view(), name="payment-apply"),
    path(f"{_payment}/ask", payments.PaymentAsk.as_view(), name="payment-ask"),
    path(f"{_payment}/cancel", payments.PaymentCancel.as_view(), name="payment-cancel"),
    path(f"{_payment}/refunds", payments.PaymentRefunds.as_view(), name="payment-refunds"),
    path("payment-methods/<uuid:method_id>", paying.PaymentMethodOne.as_view(), name="payment-method"),
    path(
        "payment-methods/<uuid:method_id>/default",
        paying.PaymentMethodDefault.as_view(),
        name="payment-method-default",
    ),
    path("payment-provider", payment_setup.PaymentSetup.as_view(), name="payment-provider"),
    path("payment-provider/test", payment_setup.PaymentSetupTest.as_view(), name="payment-provider-test"),
    path("payment-events", payment_setup.EventList.as_view(), name="payment-events"),
    path(f"{_event}/retry", payment_setup.EventRetry.as_view(), name="payment-event-retry"),
    path(f"{_event}/take", payment_setup.EventTake.as_view(), name="payment-event-take"),
    path(f"{_event}/dismiss", payment_setup.EventDismiss.as_view(), name="payment-event-dismiss"),
]
_of_plans = [
    path("plans", plans.Plans.as_view(), name="plans"),
    path(_plan, plans.PlanDetail.as_view(), name="plan"),
    path(f"{_plan}/versions", plans.PlanVersions.as_view(), name="plan-versions"),
    path(f"{_plan}/retire", plans.PlanRetire.as_view(), name="plan-retire"),
    path(f"{_plan}/offer", plans.PlanOffer.as_view(), name="plan-offer"),
    path(f"{_plan}/move", plans.PlanMove.as_view(), name="plan-move"),
    path("subscriptions", subscriptions.Subscriptions.as_view(), name="subscriptions"),
    path(_subscription, subscriptions.SubscriptionDetail.as_view(), name="subscription"),
    path(f"{_subscription}/change", subscriptions.SubscriptionChange.as_view(), name="subscription-change"),
    path(f"{_subscription}/end", subscriptions.SubscriptionEnd.as_view(), name="subscription-end"),
    path(f"{_subscription}/keep", subscriptions.SubscriptionKeep.as_view(), name="subscription-keep"),
    path("coupons", coupons.CouponList.as_view(), name="coupons"),
    path("coupons/<uuid:coupon_id>/retire", coupons.CouponRetire.as_view(), name="coupon-retire"),
    path("vouchers", vouchers.VoucherList.as_view(), name="vouchers"),
    path("vouchers/<uuid:voucher_id>/revoke", vouchers.VoucherRevoke.as_view(), name="voucher-revoke"),
]
_of_rates = [
    path("rate-cards", rate_card_changes.RateCards.as_view(), name="rate-cards"),
    path(_card, rate_card_changes.RateCardChanges.as_view(), name="rate-card"),
    path(f"{_card}/versions", rate_card_changes.RateCardVersions.as_view(), name="rate-card-versions"),
    path(
        f"{_card}/versions/<int:number>",
        rate_card_changes.RateCardVersion.as_view(),
        name="rate-card-version",
    ),
    path("default-rate-card", rate_card_uses.DefaultRateCard.as_view(), name="default-rate-card"),
    path("rate-trials", rate_card_changes.RateTrial.as_view(), name="rate-trials"),
]
billing_paths = [
    *_of_customers,
    *_of_invoices,
    *_of_payments,
    *_of_plans,
    *_of_rates,
    path("billing", billing_standing.BillingOverview.as_view(), name="billing"),
    path("billing/run", invoice_money.BillingRun.as_view(), name="billing-run"),
    path("billing/settings", billing_settings.BillingSettings.as_view(), name="billing-settings"),
    path("billing/logo", billing_settings.BillingLogo.as_view(), name="billing-logo"),
    path("tax-rates", billing_settings.TaxRateList.as_view(), name="tax-rates"),
    path("tax-rates/<uuid:rate_id>/retire", billing_settings.TaxRateRetire.as_view(), name="tax-rate-retire"),
    path("exchange-rates", billing_settings.ExchangeRates.as_view(), name="exchange-rates"),
    path("ledger-transactions", billing.LedgerTransactionList.as_view(), name="ledger-transactions"),
]
