"""The addresses of a customer's wallet in the portal."""

from django.urls import path

from apps.portal.views import billing_wallet as wallet

wallet_paths = [
    path("billing/wallet/", wallet.wallet, name="wallet"),
    path("billing/wallet/redeem/", wallet.voucher_redeem, name="voucher-redeem"),
    path("billing/wallet/warning/", wallet.wallet_warning, name="wallet-warning"),
    path("billing/wallet/auto-top-up/", wallet.auto_top_up, name="auto-top-up"),
]
