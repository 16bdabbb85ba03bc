"""`python -m push_service`: the push channel worker."""

from fastapi import FastAPI

from push_service.content import PushChannel, PushContent
from push_service.providers.fcm import FcmProvider
from push_service.settings import PushSettings
from shared.config import load
from shared.delivery import Provider, UnconfiguredProvider, delivery_resources
from shared.service import create_app, run


def build(settings: PushSettings) -> FastAPI:
    """The service, put together."""
    account = settings.account
    provider: Provider[PushContent] = UnconfiguredProvider("fcm", ["FCM_CREDENTIALS_FILE"])
    if account is not None:
        project = settings.fcm_project_id or account.project_id
        provider = FcmProvider(account, project=project, api_url=settings.fcm_api_url)
    return create_app(
        settings,
        description="Sends notifications to devices.",
        resources=delivery_resources(
            settings, PushChannel(), [provider], {"fcm": settings.fcm_rate_per_second}
        ),
    )


def main() -> None:
    """Read the environment and serve."""
    settings = load(PushSettings)
    run(build(settings), settings)


if __name__ == "__main__":
    main()
