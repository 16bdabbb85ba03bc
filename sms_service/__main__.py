"""`python -m sms_service`: the SMS channel worker."""

from fastapi import FastAPI

from shared.config import load
from shared.delivery import Provider, UnconfiguredProvider, delivery_resources
from shared.service import create_app, run
from sms_service.content import SmsChannel, SmsContent
from sms_service.providers.twilio import TwilioProvider
from sms_service.settings import SmsSettings


def build(settings: SmsSettings) -> FastAPI:
    """The service, put together."""
    account, token, sender = (
        settings.twilio_account_sid,
        settings.twilio_auth_token,
        settings.twilio_from,
    )
    provider: Provider[SmsContent] = UnconfiguredProvider("twilio", settings.missing)
    if account and token and sender:
        secret, url = token.get_secret_value(), settings.twilio_api_url
        provider = TwilioProvider(account, secret, sender=sender, api_url=url)
    return create_app(
        settings,
        description="Sends notifications as text messages.",
        resources=delivery_resources(
            settings, SmsChannel(), [provider], {"twilio": settings.twilio_rate_per_second}
        ),
    )


def main() -> None:
    """Read the environment and serve."""
    settings = load(SmsSettings)
    run(build(settings), settings)


if __name__ == "__main__":
    main()
