"""What changes an organization's own names for models."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.keys.errors import AliasRefused
from apps.keys.models import ModelAlias

FIELDS = ("name", "provider", "model", "default_parameters", "forced_parameters")
OURS = frozenset(("model", "stream", "stream_options"))  # of a body: these we set, or read, ourselves


@transaction.atomic
def add_alias(organization: Organization, *, by: User | None, **fields: Any) -> ModelAlias:
    """Sell a provider's model under a name of one's own; holds at once.

    fields: name, provider, model; default_parameters, forced_parameters: top-level fields of the calls' bodies.
    Raises ValidationError, AliasRefused.
    """
    alias = ModelAlias(organization=organization, **_clean(fields))
    alias.full_clean()
    alias.save(force_insert=True)
    audit.record(
        organization, "alias.add", alias, actor=by, changes=audit.difference({}, audit.fields_of(alias, FIELDS))
    )
    return alias


@transaction.atomic
def update_alias(alias: ModelAlias, *, by: User | None, **fields: Any) -> ModelAlias:
    """Let the name stand for something else, from the next call on. Raises ValidationError, AliasRefused."""
    locked = ModelAlias.objects.select_for_update(of=("self",)).select_related("organization").get(pk=alias.pk)
    before = audit.fields_of(locked, FIELDS)
    for name, value in _clean(fields).items():
        setattr(locked, name, value)
    locked.full_clean()
    if difference := audit.difference(before, audit.fields_of(locked, FIELDS)):
        locked.save(update_fields=list(difference))
        audit.record(locked.organization, "alias.update", locked, actor=by, changes=difference)
    return locked


@transaction.atomic
def delete_alias(alias: ModelAlias, *, by: User | None) -> None:
    """The name stands for nothing any more: calls with it go to the provider as they are."""
    locked = ModelAlias.objects.select_for_update(of=("self",)).select_related("organization").get(pk=alias.pk)
    audit.record(locked.organization, "alias.delete", locked, actor=by)
    locked.delete()


def _clean(fields: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = dict(fields)
    if "name" in cleaned:
        cleaned["name"] = cleaned["name"].strip().lower()
    if "model" in cleaned:
        cleaned["model"] = cleaned["model"].strip()
    for name in ("default_parameters", "forced_parameters"):
        parameters = cleaned.get(name) or {}
        if not isinstance(parameters, dict):
            raise AliasRefused("Parameters are a JSON object, such as {“temperature”: 0.2}.")
        if ours := sorted(OURS & parameters.keys()):
            raise AliasRefused(f"“{ours[0]}” cannot be set by an alias.")
        if name in cleaned:
            cleaned[name] = parameters
    return cleaned
