"""`python -m email_service`: the email channel worker."""

from fastapi import FastAPI

from email_service.content import EmailChannel, EmailContent
from email_service.providers.smtp import SmtpProvider
from email_service.settings import EmailSettings
from shared.config import load
from shared.delivery import Provider, UnconfiguredProvider, delivery_resources
from shared.service import create_app, run


def build(settings: EmailSettings) -> FastAPI:
    """The service, put together."""
    connections = settings.smtp_connections or sum(settings.slots)
    providers: list[Provider[EmailContent]] = [
        SmtpProvider(account, connections=connections) for account in settings.accounts
    ] or [UnconfiguredProvider("smtp", settings.missing)]
    return create_app(
        settings,
        description="Sends notifications by email.",
        resources=delivery_resources(
            settings, EmailChannel(settings.sender), providers, settings.rates
        ),
    )


def main() -> None:
    """Read the environment and serve."""
    settings = load(EmailSettings)
    run(build(settings), settings)


if __name__ == "__main__":
    main()
