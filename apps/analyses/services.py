"""Analyses are saved under a name, and removed."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.accounts.models import Organization, User
from apps.analyses.models import SavedAnalysis
from apps.customers.models import Customer
from apps.kit.locks import lock_name

MOST = 50  # of an organization, or of a customer: they are all on the page


def analyses_of(organization: Organization, customer: Customer | None) -> QuerySet[SavedAnalysis]:
    """Those of the customer's portal, or, for None, of the console; by name."""
    return SavedAnalysis.objects.filter(organization=organization, customer=customer).order_by("name")


@transaction.atomic
def save_analysis(
    organization: Organization, customer: Customer | None, *, name: str, asked: Mapping[str, str], by: User | None
) -> SavedAnalysis:
    """Under a name that is taken, it takes the place of the one that has it. Raises ValidationError."""
    owner = customer or organization
    lock_name(f"analyses of {owner.pk}")
    theirs = analyses_of(organization, customer)
    saved = theirs.filter(name=name).first()
    if saved is None:
        if theirs.count() >= MOST:
            raise ValidationError(_("%(most)s analyses are saved already: remove one first.") % {"most": MOST})
        saved = SavedAnalysis(organization=organization, customer=customer, name=name)
    saved.asked = dict(asked)
    saved.saved_by = by
    saved.full_clean()
    saved.save()
    return saved
