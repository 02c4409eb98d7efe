"""Choosing one of a thousand customers."""

import pytest
from django import forms

from apps.customers.fields import CustomerField
from apps.customers.models import Customer
from tests.cast import Cast, a_customer

ODD = '<b>"R&D\'s"</b>'


class Chooser(forms.Form):
    customer = CustomerField()


@pytest.mark.parametrize("is_chosen", [True, False])
def test_every_customer_is_an_option_whatever_its_name(cast: Cast, is_chosen):
    odd = a_customer(cast.initech.organization, ODD)
    form = Chooser({"customer": str(odd.pk)} if is_chosen else {})
    form.fields["customer"].queryset = Customer.objects.filter(pk__in=[odd.pk, cast.initech.pk]).order_by("-name")
    assert str(form["customer"]) == (
        '<select id="id_customer" name="customer"><option value="">all</option>'
        f'<option value="{cast.initech.pk}">Initech</option>'
        f'<option value="{odd.pk}"{" selected" if is_chosen else ""}>'
        "&lt;b&gt;&quot;R&amp;D&#x27;s&quot;&lt;/b&gt;</option></select>"
    )
