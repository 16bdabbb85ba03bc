"""Where a person can be reached: each address checked offline and kept in one normal form."""

from typing import Annotated

import email_validator
import phonenumbers
from pydantic import AfterValidator, StringConstraints, WithJsonSchema

# A self-hosted suite also writes to intranet names; nobody is reached under the three left here.
email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = ["arpa", "invalid", "onion"]

_PLUS_SIGNS = ("+", "\N{FULLWIDTH PLUS SIGN}")


def normal_email(value: str) -> str:
    """The address in normal form: domain in lower case, composed Unicode; raises ValueError.

    Nothing is asked of DNS.
    """
    try:
        address = email_validator.validate_email(
            value, strict=True, check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"is not an email address: {error}") from error
    return address.normalized


def normal_phone_number(value: str) -> str:
    """The number in E.164, such as `+14155552671`; raises ValueError.

    Only its form is checked, not whether it is assigned: sandboxes use numbers that never are.
    """
    if not value.strip().startswith(_PLUS_SIGNS):
        raise ValueError("must be an international phone number that begins with + and a country")
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException as error:
        raise ValueError(f"is not a phone number: {error}") from error
    if number.extension:
        raise ValueError("must not have an extension")
    if not phonenumbers.is_possible_number(number):
        raise ValueError("is not a phone number: its length does not fit its country")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


Email = Annotated[
    str,
    StringConstraints(min_length=3, max_length=254),
    AfterValidator(normal_email),
    WithJsonSchema({"type": "string", "format": "email", "minLength": 3, "maxLength": 254}),
]
"""An email address in normal form (RFC 5321, and RFC 6531 beyond ASCII)."""

PhoneNumber = Annotated[
    str,
    StringConstraints(min_length=4, max_length=40),
    AfterValidator(normal_phone_number),
]
"""A phone number in E.164; spaces and punctuation are dropped."""
