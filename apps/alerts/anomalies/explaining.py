"""What a finding says: what was seen, what would be usual, how many times that is."""

from apps.alerts.models import Finding


def explanation(finding: Finding) -> list[str]:
    """Sentences with the figures, as they were when it was last seen."""
    return [str(sentence) for sentence in finding.figures.get("sentences", [])]
