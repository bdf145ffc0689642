"""Mail through a real server: with TLS and a login, and what becomes of its refusals."""

import ssl
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tenantry.domain.errors import MailRefused, MailUnavailable
from tenantry.outbound.mail import Mailer
from tenantry.settings import MailSettings, load_settings
from tests.smtp_server import mail_server


def a_mail(to: str = "ada@example.com") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "bookings@acme.example", to, "Hello"
    mail.set_content("Hello.\n")
    return mail


def settings(url: str) -> MailSettings:
    read = load_settings({"TENANTRY_SMTP_URL": url, "TENANTRY_MAIL_FROM": "Acme <bookings@acme.example>"}).mail
    assert read is not None
    return read


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(made.public_bytes(pem) + plain)
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_mail_goes_by_starttls_under_the_login(
    certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with mail_server(tls) as mailbox:
        await Mailer(settings(f"smtp://bot:it%27s%20right@localhost:{mailbox.port}")).send(a_mail())
        assert mailbox.logins == [("bot", "it's right")]
        assert mailbox.recipients == ["ada@example.com"]
        with pytest.raises(MailUnavailable) as wrong:
            await Mailer(settings(f"smtp://bot:wrong@localhost:{mailbox.port}")).send(a_mail())
    assert "wrong" not in str(wrong.value)


async def test_a_server_that_nobody_vouches_for_gets_no_password(tls: ssl.SSLContext) -> None:
    async with mail_server(tls) as mailbox:
        with pytest.raises(MailUnavailable):
            await Mailer(settings(f"smtp://bot:it%27s%20right@localhost:{mailbox.port}")).send(a_mail())
        assert mailbox.logins == []


async def test_a_server_without_starttls_gets_nothing_unless_the_operator_says_so() -> None:
    async with mail_server() as mailbox:
        with pytest.raises(MailUnavailable):
            await Mailer(settings(f"smtp://localhost:{mailbox.port}")).send(a_mail())
        assert mailbox.mails == []
        await Mailer(settings(f"smtp://localhost:{mailbox.port}?tls=off")).send(a_mail())
        assert [mail["Subject"] for mail in mailbox.mails] == ["Hello"]


@pytest.mark.parametrize(
    ("rcpt", "data", "error"),
    [
        ("550 no such user ada@example.com", "", MailRefused),
        ("", "554 it looks like spam to ada@example.com", MailRefused),
        ("451 come back later", "", MailUnavailable),
        ("", "452 disk full", MailUnavailable),
    ],
)
async def test_a_refusal_is_final_or_passes_and_does_not_quote_the_address(
    rcpt: str, data: str, error: type[Exception]
) -> None:
    async with mail_server() as mailbox:
        mailbox.rcpt, mailbox.data = rcpt, data
        with pytest.raises(error) as told:
            await Mailer(settings(f"smtp://localhost:{mailbox.port}?tls=off")).send(a_mail())
    assert "ada@example.com" not in str(told.value)


async def test_a_server_that_is_away_may_come_back() -> None:
    async with mail_server() as mailbox:
        port = mailbox.port
    with pytest.raises(MailUnavailable) as told:
        await Mailer(settings(f"smtp://localhost:{port}?tls=off")).send(a_mail())
    assert told.value.retryable
