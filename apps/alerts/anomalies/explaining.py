"""What a finding says: what was seen, what would be usual, how many times that is."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.alerts.anomalies.judging import Judgement, KeySigns
from apps.alerts.models import Finding
from apps.alerts.terms import FindingKind
from apps.kit.templatetags.display import money

MOST_NETWORKS = 5  # that are named


def explanation(finding: Finding) -> list[str]:
    """Sentences with the figures, as they were at its worst."""
    return [str(sentence) for sentence in finding.figures.get("sentences", [])]


def figures(found: Judgement, sentences: Sequence[str]) -> dict[str, Any]:
    """What a finding keeps: for programs the numbers, for people the sentences."""
    return {
        "observed": round(found.observed, 6),
        "expected": round(found.expected, 6),
        "spread": round(found.spread, 6),
        "times": round(found.times, 1),
        "days": found.days,
        "sentences": list(sentences),
    }


def of_measure(kind: FindingKind, found: Judgement, hour: datetime, *, answered: int) -> list[str]:
    """hour: in the organization's zone."""
    observed, expected, spread = (_written(kind, number) for number in (found.observed, found.expected, found.spread))
    what = {
        FindingKind.SPEND: _("Spent %(observed)s"),
        FindingKind.BURST: _("Made %(observed)s requests"),
        FindingKind.ERRORS: _("Had %(observed)s errors"),
    }[kind] % {"observed": observed}
    when = _("in the hour from %(hour)s.") % {"hour": f"{hour:%-d %b %H:%M}"}
    usual = _("Usual at this hour are %(expected)s, give or take %(spread)s (median of %(days)d days).")
    sentences = [f"{what} {when}", usual % {"expected": expected, "spread": spread, "days": found.days}]
    if found.expected:
        sentences.append(_("That is %(times)s times as much.") % {"times": f"{found.times:.1f}"})
    if kind is FindingKind.ERRORS and answered:
        share = f"{100 * found.observed / answered:.0f}"
        sentences.append(_("%(share)s %% of what was answered failed.") % {"share": share})
    return sentences


def of_networks(found: Judgement, networks: Sequence[str]) -> list[str]:
    """Of a key that is used from far more new networks than usual."""
    told = _("Used from %(count)d networks in an hour that it was never used from before: %(networks)s.")
    usual = _("Usual at this hour are %(expected)s new ones (median of %(days)d days).")
    return [
        told % {"count": round(found.observed), "networks": listed(networks)},
        usual % {"expected": f"{found.expected:.0f}", "days": found.days},
    ]


def of_news(networks: Sequence[str], known: Sequence[str], days: float) -> list[str]:
    """Of a key that has been used from the same few networks for long."""
    told = _("Used from %(networks)s for the first time.") % {"networks": listed(networks)}
    before = _("For %(days)d days it was used from %(known)s only.") % {"days": int(days), "known": listed(known)}
    return [told, before]


def of_leak(signs: KeySigns, found: Sequence[str], networks: Sequence[str]) -> list[str]:
    """Of a key that looks as if somebody else had it."""
    told = _("Used from %(count)d new networks in an hour: %(networks)s.")
    sentences = [told % {"count": signs.new_networks, "networks": listed(networks)}]
    more = {
        "refused": ngettext("%(count)d call was refused.", "%(count)d calls were refused.", signs.refused)
        % {"count": signs.refused},
        "models": _("%(count)d models were called that it never called before.") % {"count": signs.new_models},
        "users": _("%(count)d end users were named that it never named before.") % {"count": signs.new_users},
    }
    sentences += [more[name] for name in found]
    return [*sentences, _("If you did not change how the key is used, revoke it.")]


def listed(networks: Sequence[str]) -> str:
    """Some of them by name."""
    more = len(networks) - MOST_NETWORKS
    named = ", ".join(networks[:MOST_NETWORKS])
    return f"{named} {_('and %(more)d more') % {'more': more}}" if more > 0 else named


def _written(kind: FindingKind, number: float) -> str:
    return money(Decimal(str(round(number, 4)))) if kind is FindingKind.SPEND else f"{round(number):,}"
