"""Who sold and who bought, as an invoice keeps them when it becomes final: what is changed later, it does not show."""

from hashlib import sha256

from apps.billing.models import BillingDetails, Seller

Snapshot = dict[str, str]


def seller_snapshot(seller: Seller) -> Snapshot:
    """What an invoice says of the seller. Its logo is kept beside, by its hash: it would be in every row here."""
    return {
        "legal_name": str(seller),
        "address": seller.address,
        "country": seller.country,
        "tax_id": seller.tax_id,
        "email": seller.email,
        "payment_terms": seller.payment_terms,
        "footer": seller.footer,
        "accent": seller.accent,
        "logo": sha256(seller.logo).hexdigest() if seller.logo else "",
        "time_zone": seller.organization.time_zone,
    }


def buyer_snapshot(details: BillingDetails) -> Snapshot:
    """What an invoice says of the customer, and the language that it says it in."""
    return {
        "legal_name": str(details),
        "address": details.address,
        "country": details.country,
        "tax_id": details.tax_id,
        "email": details.email or details.customer.email,
        "tax_status": details.tax_status,
        "purchase_order": details.purchase_order,
        "language": details.language,
    }
