"""Form fields about customers."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.forms.models import ModelChoiceIterator
from django.forms.renderers import BaseRenderer
from django.forms.utils import flatatt
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.customers.models import Customer

OPTION, CHOSEN = '<option value="{}">{}</option>', '<option value="{}" selected>{}</option>'


class LongSelect(forms.Select):
    """A select without groups: Django's takes a template for each option, and a thousand take longer than the page."""

    def render(
        self,
        name: str,
        value: Any,
        attrs: Mapping[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        chosen = "" if value is None else str(value)
        options = [("" if key is None else str(key), label) for key, label in self.choices]
        others = format_html_join("", OPTION, options)
        if chosen:
            marked = ((CHOSEN if key == chosen else OPTION, key, label) for key, label in options)
            others = SafeString("".join(format_html(html, key, label) for html, key, label in marked))
        attributes = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        return format_html("<select{}>{}</select>", flatatt(attributes), others)


class _Options(ModelChoiceIterator):
    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        if self.field.empty_label is not None:
            yield "", self.field.empty_label
        yield from self.field.names.items()


class CustomerField(forms.ModelChoiceField):
    """One of an organization's customers, or none: `queryset` is set by the form, in the order of the options."""

    iterator = _Options
    widget = LongSelect

    @cached_property
    def names(self) -> dict[UUID, str]:
        """Of all of them, by id: asked for once, and no more of each than its option shows."""
        return dict(self.queryset.values_list("pk", "name"))  # type: ignore[union-attr]

    def __init__(self, **kwargs: Any) -> None:
        usual = {"label": _("Customer"), "required": False, "empty_label": _("all")}
        super().__init__(Customer.objects.none(), **(usual | kwargs))
