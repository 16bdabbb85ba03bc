import pytest

from email_service.mailbox import Mailbox


def test_a_name_and_an_address():
    mailbox = Mailbox.parse("Ada Lovelace <ada@example.com>")
    assert (mailbox.name, mailbox.address) == ("Ada Lovelace", "ada@example.com")


def test_a_bare_address():
    assert Mailbox.parse("ada@example.com") == Mailbox("ada", "example.com")


def test_a_domain_beyond_ascii_travels_as_idna():
    mailbox = Mailbox.of("ada@bücher.example")
    assert mailbox.address == "ada@xn--bcher-kva.example"
    assert not mailbox.needs_utf8


def test_a_local_part_beyond_ascii_needs_a_server_that_can():
    assert Mailbox.of("jürgen@example.com").needs_utf8


@pytest.mark.parametrize(
    "address",
    [
        *("", "ada", "@example.com", "ada@", "ada@example.com>", "a da@example.com"),
        *("ada@example.com\r\nRCPT TO:<eve@example.com>", "<ada@example.com", "ada@exa mple.com"),
        *("ada@-\u0130.", "a" * 65 + "@example.com", "a\ud800@example.com"),
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError, match="is no"):
        Mailbox.of(address)


@pytest.mark.parametrize("text", ["Ada", "Ada\r\nBcc: eve@x.example <ada@example.com>", "<>"])
def test_what_is_no_mailbox_is_refused(text):
    with pytest.raises(ValueError, match=r"neither|control|is no"):
        Mailbox.parse(text)
