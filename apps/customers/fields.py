"""Form fields about customers."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any
from uuid import UUID

from django import forms
from django.forms.models import ModelChoiceIterator
from django.forms.renderers import BaseRenderer
from django.forms.utils import flatatt
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.customers.models import Customer


class LongSelect(forms.Select):
    """A select without groups: Django's takes a template for each option, and a thousand take longer than the page.

    So does its `escape`, which looks at each for whether it is lazy; Python's own escapes the same.
    """

    def render(
        self,
        name: str,
        value: Any,
        attrs: Mapping[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        chosen = "" if value is None else str(value)
        options = ((escape("" if key is None else str(key)), escape(str(label))) for key, label in self.choices)
        marks = {escape(chosen): " selected"} if chosen else {}
        others = (f'<option value="{key}"{marks.get(key, "")}>{label}</option>' for key, label in options)
        attributes = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        return format_html("<select{}>{}</select>", flatatt(attributes), SafeString("".join(others)))


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
