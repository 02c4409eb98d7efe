import stat
from pathlib import Path

from apps.ops.demo_card import DemoCard, read_demo_card, write_demo_card

CARD = DemoCard("olivia@acme.example", "gina@globex.example", "secret", "tg_live_1")


def test_the_card_is_kept_for_its_owner_only(tmp_path: Path):
    assert read_demo_card(tmp_path) is None
    write_demo_card(tmp_path, CARD)
    assert read_demo_card(tmp_path) == CARD
    assert stat.S_IMODE((tmp_path / "demo.json").stat().st_mode) == 0o600


def test_the_card_has_both_logins_and_a_call():
    text = "\n".join(CARD.lines("http://localhost:8000"))
    assert "http://localhost:8000/console/   olivia@acme.example   password secret" in text
    assert "http://localhost:8000/portal/   gina@globex.example   password secret" in text
    assert "curl http://localhost:8000/v1/chat/completions" in text
    assert "Bearer tg_live_1'" in text
    assert "real provider" not in text


def test_the_card_has_the_live_key_where_there_is_one():
    card = DemoCard("o@acme.example", "g@globex.example", "secret", "tg_live_1", live_key="tg_live_2")
    assert "With the real provider, at most 5 USD a day: tg_live_2" in "\n".join(card.lines("http://x"))
