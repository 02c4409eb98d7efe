import io
import sys

import pytest
from django.core import mail
from django.core.mail import get_connection
from django.utils import timezone

from apps.kit.mail import mail_after_commit

CONTEXT = {"inviting": "R&D\nBcc: eve@example.com", "link": "http://x", "expires_at": timezone.now()}


def test_a_mail_goes_out_after_the_commit(db, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        mail_after_commit("invitation", to="ada@example.com", context=CONTEXT)
        assert mail.outbox == []
    (sent,) = mail.outbox
    assert (sent.to, sent.from_email) == (["ada@example.com"], "Tollgate <tollgate@localhost>")


def test_a_subject_is_one_line(db, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        mail_after_commit("invitation", to="ada@example.com", context=CONTEXT)
    assert mail.outbox[0].subject == "You are invited to R&D Bcc: eve@example.com"
    assert mail.outbox[0].message()["Bcc"] is None


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_away_is_logged_and_no_more(settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    mail_after_commit("invitation", to="ada@example.com", context=CONTEXT)
    assert "Error calling" in caplog.text


def test_printed_mails_leave_standard_output_alone(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    connection = get_connection("apps.kit.mail.StderrBackend")
    connection.send_messages([mail.EmailMessage("Hello", "Body", "a@example.com", ["b@example.com"])])
    assert "Subject: Hello" in sys.stderr.getvalue()
    assert capsys.readouterr().out == ""
