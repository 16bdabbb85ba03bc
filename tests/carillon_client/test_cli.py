"""The command line against a running suite."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from carillon_client import Carillon
from shared.schemas.users import User
from tests.carillon_client.conftest import ADMIN_KEY, Command, Suite
from tests.processes import REPOSITORY


def test_send_and_follow(
    command: Command, user: User, template: str, inbox: Callable[[str], list[dict[str, str]]]
) -> None:
    words = ("send", "--user", user.id, "--template", template, "--channel", "email")
    result = command(*words, "--var", "name=Ada", "--priority", "high", "--follow")
    assert result.exit_code == 0, result.output
    for word in ("queued", "processing", "✓ sent"):
        assert word in result.output
    assert inbox(user.email)[0]["subject"] == "Welcome Ada!"


def test_send_for_programs(command: Command, user: User, template: str) -> None:
    words = ("send", "--user", user.id, "--template", template, "--channel", "email", "--json")
    accepted = json.loads(command(*words, "--var", "name:=7").stdout)
    assert accepted["status"] == "queued"
    shown = json.loads(command("notifications", "show", accepted["request_id"], "--json").stdout)
    assert shown["variables"] == {"name": 7}
    listed = json.loads(command("notifications", "list", "--user", user.id, "--json").stdout)
    assert [one["request_id"] for one in listed] == [accepted["request_id"]]
    assert accepted["request_id"] in command("notifications", "list", "--user", user.id).output


def test_a_send_that_does_not_go_out_fails_the_command(
    command: Command, user: User, template: str
) -> None:
    assert command("users", "preferences", user.id, "--no-email").exit_code == 0
    words = ("send", "--user", user.id, "--template", template, "--channel", "email")
    result = command(*words, "--var", "name=Ada", "--follow")
    assert result.exit_code == 1
    assert "✗ skipped: The user switched this channel off." in result.output


def test_a_refusal_is_one_sentence_with_its_fields(
    command: Command, user: User, template: str
) -> None:
    result = command("send", "--user", user.id, "--template", template, "--channel", "email")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "variables.name: " in result.stderr
    assert "Traceback" not in result.stderr


def test_an_assignment_that_is_none_is_a_wrong_use(command: Command) -> None:
    words = ("send", "--user", 1, "--template", "any", "--channel", "email")
    for wrong in ("name", "=Ada", "name:=[", ":=1"):
        result = command(*words, "--var", wrong)
        assert result.exit_code == 2, wrong
        assert "Traceback" not in result.output


def test_users(command: Command) -> None:
    name = f"ada-{uuid4().hex[:8]}"
    made = command(
        "users", "create", "--username", name, "--email", f"{name}@example.com", "--json"
    )
    user = json.loads(made.stdout)["id"]
    assert command("users", "update", user, "--phone", "+14155552671", "--inactive").exit_code == 0
    shown = json.loads(command("users", "show", user, "--json").stdout)
    assert (shown["phone_number"], shown["active"]) == ("+14155552671", False)
    cleared = json.loads(command("users", "update", user, "--phone", "", "--json").stdout)
    assert cleared["phone_number"] is None
    assert name in command("users", "list", "--username", name).output
    assert "None." in command("users", "list", "--username", f"no-{name}").output
    devices = command("users", "devices", user, "--add", f"token-{name}", "--json").stdout
    [device] = json.loads(devices)
    assert f"token-{name}" in command("users", "preferences", user).output
    assert "None." in command("users", "devices", user, "--remove", device["id"]).output
    assert command("users", "delete", user, stdin="n\n").exit_code == 1
    assert command("users", "delete", user, "--yes").exit_code == 0
    gone = command("users", "show", user)
    assert (gone.exit_code, gone.stderr.strip()) == (1, f"✗ There is no user {user}.")


def test_preferences_show_and_change(command: Command, user: User) -> None:
    words = ("users", "preferences", user.id)
    changed = command(*words, "--no-sms", "--language", "pt-BR", "--timezone", "Europe/Berlin")
    assert changed.exit_code == 0, changed.output
    now = json.loads(command(*words, "--json").stdout)
    assert (now["email_enabled"], now["sms_enabled"]) == (True, False)
    assert (now["language"], now["timezone"]) == ("pt-BR", "Europe/Berlin")
    assert json.loads(command(*words, "--language", "", "--json").stdout)["language"] is None
    wrong = command(*words, "--timezone", "Mars/Olympus")
    assert wrong.exit_code == 1
    assert "timezone: " in wrong.stderr


def test_a_template_from_flags(command: Command) -> None:
    template = f"hello-{uuid4().hex[:8]}"
    made = command(
        "templates", "create", template, "--channel", "push",
        "--title", "Hi {{name}}", "--text", "Hello {{name}}", "--data", "order={{number}}",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    words = ("--var", "name=Ada", "--var", "number:=7")
    rendered = json.loads(command("templates", "render", template, *words, "--json").stdout)
    assert (rendered["title"], rendered["data"]) == ("Hi Ada", {"order": "7"})
    assert "Hi Ada" in command("templates", "render", template, *words).output
    assert template in command("templates", "list", "--channel", "push").output
    assert command("templates", "delete", template).exit_code == 0
    assert json.loads(command("templates", "show", template, "--json").stdout)["active"] is False
    assert command("templates", "update", template, "--active").exit_code == 0


def test_a_template_with_secrets(command: Command) -> None:
    template = f"code-{uuid4().hex[:8]}"
    words = ("templates", "create", template, "--channel", "sms", "--text", "{{code}} {{link}}")
    made = command(*words, "--sensitive", "code", "--sensitive", "link")
    assert made.exit_code == 0, made.output
    assert "sensitive" in made.output
    shown = json.loads(command("templates", "show", template, "--json").stdout)
    assert shown["sensitive"] == ["code", "link"]
    wrong = command(*words, "--sensitive", "cod")
    assert wrong.exit_code == 1
    assert "sensitive.0: " in wrong.stderr


def test_a_template_from_a_file_and_from_stdin(command: Command, tmp_path: Path) -> None:
    template = f"yaml-{uuid4().hex[:8]}"
    document = tmp_path / "welcome.yaml"
    document.write_text(
        f"template_id: {template}\nname: Welcome\nchannel: email\n"
        "subject: Welcome {{name}}!\nbody_text: |\n  Hello {{name}},\n  welcome!\n"
    )
    assert command("templates", "create", "--file", document).exit_code == 0
    change = json.dumps({"subject": "Hello {{name}}!"})
    changed = command("templates", "update", template, "--file", "-", "--json", stdin=change)
    assert json.loads(changed.stdout)["version"] == 2
    again = command("templates", "create", "--file", document)
    assert again.exit_code == 1
    assert "exists in 'en' already" in again.stderr
    # The same file, in another language, and as what changes one.
    assert command("templates", "create", "--file", document, "--language", "de").exit_code == 0
    back = command("templates", "update", template, "--file", document, "--json").stdout
    assert json.loads(back)["subject"] == "Welcome {{name}}!"


def test_a_document_that_is_none_is_a_wrong_use(command: Command, tmp_path: Path) -> None:
    wrong = {"list": "- a\n- b\n", "typo": "subjekt: x\n", "broken": "a: [\n", "bytes": "\x00"}
    for name, text in wrong.items():
        document = tmp_path / name
        document.write_text(text)
        result = command("templates", "create", "--file", document)
        assert result.exit_code == 2, name
        assert "Traceback" not in result.output
    assert command("templates", "create", "--file", tmp_path / "missing").exit_code == 2


def test_a_syntax_error_names_the_field_and_the_line(command: Command) -> None:
    words = ("templates", "create", f"broken-{uuid4().hex[:8]}", "--channel", "sms")
    result = command(*words, "--text", "Hello {{name")
    assert result.exit_code == 1
    assert "body_text: line 1" in result.stderr


def test_api_keys(command: Command, suite: Suite) -> None:
    made = command("api-keys", "create", "--name", "shop", "--scope", "read", "--json")
    key = json.loads(made.stdout)
    assert command("notifications", "list", CARILLON_API_KEY=key["key"]).exit_code == 0
    assert "shop" in command("api-keys", "list").output
    assert command("api-keys", "revoke", key["id"]).exit_code == 0
    refused = command("notifications", "list", CARILLON_API_KEY=key["key"])
    assert (refused.exit_code, refused.stdout) == (1, "")


def test_a_terminal_is_not_commanded_by_a_stranger(command: Command, carillon: Carillon) -> None:
    template = f"escape-{uuid4().hex[:8]}"
    carillon.templates.create(
        template_id=template, name="[red]x[/red]", channel="sms", body_text="a\x1b[2Jb"
    )
    shown = command("templates", "show", template).output
    assert "\x1b" not in shown
    assert "[red]x[/red]" in shown


def test_without_a_stack_it_says_how_to_get_one(command: Command) -> None:
    result = command("users", "list", CARILLON_URL="")
    assert result.exit_code == 1
    assert "./carillon up" in result.stderr
    silent = command("users", "list", CARILLON_URL="http://127.0.0.1:9")
    assert silent.exit_code == 1
    assert "Nothing answers at http://127.0.0.1:9" in silent.stderr


def test_the_stack_introduces_its_gateway(suite: Suite, user: User, tmp_path: Path) -> None:
    """`./carillon users …` finds the stack of its home, and gives its key to nobody else."""
    facts = {
        "api_key": ADMIN_KEY,
        "services": {"api_gateway": suite.url},
        "engines": {},
        "sandbox_url": suite.sandbox_url,
        "sandbox_smtp": "127.0.0.1:1",
    }
    (tmp_path / "stack.json").write_text(json.dumps(facts))

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        known = {n: v for n, v in os.environ.items() if not n.startswith("CARILLON_")}
        return subprocess.run(
            [sys.executable, "-m", "carillon_stack", "users", "show", str(user.id), "--json"],
            cwd=REPOSITORY,
            env={**known, "CARILLON_HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    found = run()
    assert json.loads(found.stdout)["id"] == user.id, found.stderr
    assert run(CARILLON_API_KEY="another").returncode == 1
    elsewhere = run(CARILLON_URL=suite.url)
    assert elsewhere.returncode == 1
    assert "Give an API key" in elsewhere.stderr
