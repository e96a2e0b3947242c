"""Messages by mail."""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts.channels import EmailChannel, secret

logger = logging.getLogger(__name__)


def send_mail(channel: EmailChannel, message_id: str, thread: str, subject: str, text: str) -> None:
    """Send a mail; mails of one alert are shown as a thread, and one that comes twice once.

    Args:
        channel: from whom, to whom, and by which server.
        message_id: of the event; the mail's ``Message-ID`` is made of it.
        thread: what its mails have in common.
        subject: a line.
        text: plain text.

    Raises:
        UsageError: a secret is not there.
        StorageError: the server did not take it for anybody.
    """
    message = EmailMessage()
    message["From"], message["To"] = channel.sender, ", ".join(channel.to)
    message["Subject"], message["Date"] = " ".join(subject.split()), formatdate()
    domain = channel.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{message_id}@{domain}>"
    message["References"] = f"<{thread}@{domain}>"
    message.set_content(text)
    user, password = secret(channel.user_env, None), secret(channel.password_env, None)
    try:
        with _connect(channel) as server:
            if channel.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if user is not None and password is not None:
                server.login(user, password)
            refused = server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise StorageError(_words(error)) from None
    if refused:  # the others have it, and would get it again
        logger.error("channel %s: mail is not taken for %s", channel.name, ", ".join(refused))


def _connect(channel: EmailChannel) -> smtplib.SMTP:
    where, timeout = (channel.host, channel.port), channel.timeout_seconds
    if channel.security == "tls":
        return smtplib.SMTP_SSL(*where, timeout=timeout, context=ssl.create_default_context())
    return smtplib.SMTP(*where, timeout=timeout)


def _words(error: Exception) -> str:
    """Return what went wrong; the server's own words may repeat what was sent, and are left out."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"no recipient was taken: {', '.join(sorted(error.recipients))}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code} ({type(error).__name__})"
    if isinstance(error, ssl.SSLError):
        return f"no safe connection: {error.reason or type(error).__name__}"
    if isinstance(error, TimeoutError):
        return "the mail server did not answer in time"
    return getattr(error, "strerror", None) or str(error)[:200] or type(error).__name__
