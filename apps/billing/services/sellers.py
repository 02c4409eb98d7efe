"""What an operator sets about its billing: who it is, its terms, reminders and logo."""

from hashlib import sha256
from io import BytesIO
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.errors import NotPossible
from apps.billing.models import BillingDetails, Invoice, Logo, Seller
from apps.billing.parties import seller_of

MOST_LOGO_BYTES = 256 * 1024
MOST_LOGO_PIXELS = 4_000  # on a side
IDENTITY = ("legal_name", "address", "country", "tax_id", "email", "currency", "payment_terms", "footer", "accent")
TERMS = ("invoice_prefix", "credit_note_prefix", "net_days", "grace_days", "finalizes", "sends")
TAXING = ("tax_rounding", "taxed_when")
DUNNING = ("reminder_days", "final_step", "final_step_days")
FIELDS = (*IDENTITY, *TERMS, *TAXING, *DUNNING)


@transaction.atomic
def update_seller(organization: Organization, *, by: User | None, **changes: Any) -> Seller:
    """Change some of FIELDS. Invoices that are final stay as they are; drafts follow. Raises ValidationError."""
    if unknown := changes.keys() - set(FIELDS):
        raise TypeError(f"not a field of a seller: {', '.join(sorted(unknown))}")
    seller = _locked(organization)
    before = _told(seller)
    for name, value in changes.items():
        setattr(seller, name, value)
    seller.full_clean(exclude=["reminder_days"])  # no days at all are all right; the form sees to the others
    if difference := audit.difference(before, _told(seller)):
        if "currency" in difference:
            _keep_currencies(organization, str(difference["currency"][0]))
        seller.save(update_fields=list(difference))
        audit.record(organization, "seller.update", seller, actor=by, changes=difference)
    return seller


@transaction.atomic
def set_logo(organization: Organization, content: bytes, *, by: User | None) -> Seller:
    """The logo of documents from now on; those that are final keep theirs. Raises NotPossible: no such image."""
    _check_logo(content)
    Logo.objects.get_or_create(
        organization=organization, sha256=sha256(content).hexdigest(), defaults={"content": content}
    )
    return _change_logo(organization, content, "seller.set_logo", by=by)


@transaction.atomic
def remove_logo(organization: Organization, *, by: User | None) -> Seller:
    """No logo from now on."""
    return _change_logo(organization, None, "seller.remove_logo", by=by)


def _change_logo(organization: Organization, content: bytes | None, action: str, *, by: User | None) -> Seller:
    seller = _locked(organization)
    if (seller.logo or b"") != (content or b""):
        seller.logo = content
        seller.save(update_fields=["logo"])
        audit.record(organization, action, seller, actor=by)
    return seller


def _check_logo(content: bytes) -> None:
    """An image that is not too large to be opened, and is what it says: nothing else gets into documents."""
    if len(content) > MOST_LOGO_BYTES:
        raise NotPossible(_("The logo is larger than 256 KB."))
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as image:
            if max(image.size) > MOST_LOGO_PIXELS:
                raise NotPossible(_("The logo is larger than 4,000 pixels on a side."))
            image.load()  # all of it: what is cut off shows here, not in the middle of a billing run
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as broken:
        raise NotPossible(_("The logo has to be a PNG or a JPEG.")) from broken


def _keep_currencies(organization: Organization, old: str) -> None:
    """A customer that has been invoiced keeps the currency that it had from the seller."""
    invoiced = Invoice.objects.final().filter(organization=organization).values("customer")
    BillingDetails.objects.filter(customer__in=invoiced, currency="").update(currency=old)


def _locked(organization: Organization) -> Seller:
    seller_of(organization)
    return Seller.objects.select_for_update(of=("self",)).select_related("organization").get(organization=organization)


def _told(seller: Seller) -> dict[str, Any]:
    told = audit.fields_of(seller, FIELDS)
    return {**told, "reminder_days": ", ".join(map(str, seller.reminder_days))}
