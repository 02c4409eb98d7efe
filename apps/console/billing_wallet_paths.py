"""The addresses of wallets and vouchers in the console."""

from django.urls import path

from apps.console.views import billing_vouchers as vouchers
from apps.console.views import billing_wallets as wallets

wallet_paths = [
    path("billing/wallets/", wallets.wallets, name="wallets"),
    path("billing/wallets/<uuid:customer_id>/", wallets.wallet_detail, name="wallet-detail"),
    path("billing/wallets/<uuid:customer_id>/entries/", wallets.wallet_entries, name="wallet-entries"),
    path("billing/wallets/<uuid:customer_id>/open/", wallets.wallet_open, name="wallet-open"),
    path("billing/wallets/<uuid:customer_id>/edit/", wallets.wallet_update, name="wallet-update"),
    path("billing/wallets/<uuid:customer_id>/grant/", wallets.credit_grant, name="credit-grant"),
    path("billing/wallets/<uuid:customer_id>/take/", wallets.credit_take, name="credit-take"),
    path("billing/wallets/<uuid:customer_id>/top-up/", wallets.credit_top_up, name="credit-top-up"),
    path("billing/vouchers/", vouchers.vouchers, name="vouchers"),
    path("billing/vouchers/<uuid:voucher_id>/revoke/", vouchers.voucher_revoke, name="voucher-revoke"),
]
