"""Mails, to a real SMTP server on loopback, with TLS and passwords of its own."""

from __future__ import annotations

import email
import shutil
import socket
import ssl
import subprocess
from email import policy as rules

import pytest

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts.channels import EmailChannel
from deepfake_lightning.monitoring.alerts.records import Alert, AlertEvent
from deepfake_lightning.monitoring.alerts.sending import send

aiosmtpd = pytest.importorskip("aiosmtpd.controller")
NOON = 1_700_049_600_000_000
ALERT = Alert("3f9c2a1b", "errors", "production/v1.0.0", "firing", "critical", NOON, NOON,
              says="1.43 % of the requests failed \u2013 of 2,310")  # fmt: skip
FIRED = AlertEvent("3f9c2a1b-firing", "firing", NOON, ALERT)
ENDED = AlertEvent("3f9c2a1b-resolved", "resolved", NOON, ALERT)


class Box:
    """Takes mails, but for ``nobody@``."""

    def __init__(self):
        self.mails, self.logins = [], []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=rules.default)
        self.mails.append((envelope.rcpt_tos, mail, session.ssl is not None))
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a folder with a certificate for 127.0.0.1 and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    command += " -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command += " -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), check=True, cwd=folder, capture_output=True)
    return folder


@pytest.fixture
def start_smtp():
    """Return a function that starts a server: ``start_smtp(tls_context=...)``: box and port."""
    running = []

    def start(**settings):
        box = Box()
        one = aiosmtpd.Controller(box, hostname="127.0.0.1", port=0, **settings)
        # Port 0 is not asked again by the controller: it wants to greet itself.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            one.port = probe.getsockname()[1]
        one.start()
        running.append(one)
        return box, one.port

    yield start
    for one in running:
        one.stop()


def channel(port, **more):
    given = {"to": ("ops@example.org",), "security": "none", **more}
    return EmailChannel(name="mail", host="127.0.0.1", port=port, sender="a@example.org", **given)


def test_a_mail_says_what_fires(start_smtp, tmp_path):
    box, port = start_smtp()
    send(channel(port, to=("ops@example.org", "boss@example.org")), FIRED, tmp_path)
    send(channel(port), ENDED, tmp_path)
    (to, mail, _), (_, ended, _) = box.mails
    assert to == ["ops@example.org", "boss@example.org"]
    assert mail["Subject"] == "[critical] errors of production/v1.0.0"
    assert mail["Message-ID"] == "<3f9c2a1b-firing@example.org>"
    assert mail["References"] == ended["References"]  # shown as one thread
    assert "1.43 % of the requests failed \u2013 of 2,310" in mail.get_content()
    assert ended["Subject"].startswith("[resolved]")


def test_it_logs_in_over_starttls(start_smtp, certificate, tmp_path, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    logins = []

    def authenticate(server, session, envelope, mechanism, data):
        from aiosmtpd.smtp import AuthResult

        logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    box, port = start_smtp(tls_context=context, require_starttls=True, authenticator=authenticate,
                           auth_require_tls=True)  # fmt: skip
    monkeypatch.setenv("SMTP_USER", "me")
    monkeypatch.setenv("SMTP_PASSWORD", "right")
    more = {"security": "starttls", "user_env": "SMTP_USER", "password_env": "SMTP_PASSWORD"}
    with pytest.raises(StorageError, match="no safe connection: CERTIFICATE_VERIFY_FAILED"):
        send(channel(port, **more), FIRED, tmp_path)  # nobody vouches for it
    assert logins == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    send(channel(port, **more), FIRED, tmp_path)
    assert logins == [(b"me", b"right")] and box.mails[0][2]
    monkeypatch.setenv("SMTP_PASSWORD", "wrong-hidden")
    with pytest.raises(StorageError, match="answered 535") as caught:
        send(channel(port, **more), FIRED, tmp_path)
    assert "hidden" not in str(caught.value)


def test_a_server_without_tls_gets_nothing_where_tls_was_asked_for(start_smtp, tmp_path):
    box, port = start_smtp()
    with pytest.raises(StorageError, match="STARTTLS"):
        send(channel(port, security="starttls"), FIRED, tmp_path)
    assert box.mails == []


def test_who_is_not_taken_is_said(start_smtp, tmp_path):
    box, port = start_smtp()
    with pytest.raises(StorageError, match="no recipient was taken: nobody@"):
        send(channel(port, to=("nobody@example.org",)), FIRED, tmp_path)
    assert box.mails == []


def test_one_bad_address_does_not_make_the_others_get_it_again_and_again(start_smtp, tmp_path):
    box, port = start_smtp()
    send(channel(port, to=("nobody@example.org", "ops@example.org")), FIRED, tmp_path)
    assert [to for to, _, _ in box.mails] == [["ops@example.org"]]


def test_a_server_that_is_not_there_is_said(tmp_path):
    with pytest.raises(StorageError, match="Connection refused"):
        send(channel(1), FIRED, tmp_path)
