"""Mail by the installation's server, which is the operator's choice and may be anywhere."""

from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import (
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
)

from tenantry.domain.errors import MailRefused, MailUnavailable
from tenantry.settings import MailSettings

TIMEOUT_S = 20.0


class Mailer:
    """Hands mails to the installation's server, each over a connection of its own."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    @property
    def sender(self) -> tuple[str, str]:
        """As whom mail is sent: name and address."""
        return self._settings.sender_name, self._settings.sender_address

    async def send(self, message: EmailMessage) -> None:
        """Send a mail with all of its headers. Raises MailRefused when its recipient or the mail itself is not taken,
        and MailUnavailable for what may pass or be mended: the server may have taken it nevertheless."""
        server = self._settings
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                username=server.username,
                password=server.password,
                use_tls=server.tls == "tls",
                start_tls=server.tls == "starttls",
                timeout=TIMEOUT_S,
            )
        # What the server says may quote the address, so only its number is told.
        except SMTPRecipientsRefused as error:
            raise _refused(max(refusal.code for refusal in error.recipients)) from None
        except (SMTPRecipientRefused, SMTPDataError) as error:
            raise _refused(error.code) from None
        except SMTPNotSupported:
            raise MailRefused("The mail server cannot write to an address like the recipient's.") from None
        except (SMTPException, OSError) as error:
            raise MailUnavailable(f"The mail server does not take mail for now ({type(error).__name__}).") from None


def _refused(code: int) -> MailRefused | MailUnavailable:
    """4xx passes, 5xx does not (RFC 5321, 4.2.1)."""
    if code >= 500:
        return MailRefused(f"The mail server does not take this mail (SMTP {code}); check the recipient's address.")
    return MailUnavailable(f"The mail server does not take this mail for now (SMTP {code}).")
