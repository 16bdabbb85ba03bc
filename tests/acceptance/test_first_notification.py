"""The main job: asked once over REST, told on the channel."""

from uuid import uuid4

import httpx


def test_an_email_arrives_with_both_bodies(stack):
    user = stack.user()
    request_id = stack.send(user["id"], stack.template())

    notification = stack.final(request_id)
    assert (notification["status"], notification["attempts"]) == ("sent", 1)
    assert [entry["status"] for entry in notification["timeline"]] == [
        "queued",
        "processing",
        "sent",
    ]
    [message] = stack.received("email", user["email"])
    assert message["subject"] == "Welcome Ada!"
    assert message["text"].strip() == "Hello Ada, welcome!"
    assert message["html"].strip() == "<p>Hello Ada</p>"
    assert request_id in message["message_id"]


def test_a_push_arrives_on_the_registered_device(stack):
    user, token = stack.user(), f"token-{uuid4().hex}"
    stack.data(stack.api.put(f"/users/{user['id']}/preferences", json={"push_token": token}))

    request_id = stack.send(user["id"], stack.template("push"), "push")
    assert stack.final(request_id)["status"] == "sent"
    [message] = stack.received("push", token)
    assert (message["title"], message["body"]) == ("Welcome Ada!", "Hello Ada, welcome!")


def test_a_text_message_arrives(stack):
    number = "+1415555" + str(int(uuid4()))[:4]
    user = stack.user(phone_number=number)
    request_id = stack.send(user["id"], stack.template("sms"), "sms")
    assert stack.final(request_id)["status"] == "sent"
    assert stack.received("sms", number)[0]["text"] == "Hello Ada, welcome!"


def test_a_dead_device_is_switched_off(stack):
    user, token = stack.user(), f"dead-{uuid4().hex}"
    stack.data(stack.api.put(f"/users/{user['id']}/preferences", json={"push_token": token}))
    request_id = stack.send(user["id"], stack.template("push"), "push")
    notification = stack.final(request_id)
    assert (notification["status"], notification["reason"]) == ("failed", "token_invalid")

    again = stack.final(stack.send(user["id"], stack.template("push"), "push"))
    assert (again["status"], again["reason"]) == ("skipped", "no_address")


def test_a_disabled_channel_is_skipped_and_says_so(stack):
    user = stack.user()
    stack.data(stack.api.put(f"/users/{user['id']}/preferences", json={"email_enabled": False}))
    notification = stack.final(stack.send(user["id"], stack.template()))
    assert (notification["status"], notification["reason"]) == ("skipped", "channel_disabled")
    assert notification["meaning"] == "The user switched this channel off."
    assert stack.received("email", user["email"]) == []


def test_an_unknown_user_is_accepted_and_fails(stack):
    notification = stack.final(stack.send(2**40, stack.template()))
    assert (notification["status"], notification["reason"]) == ("failed", "user_not_found")


def test_a_retry_follows_what_the_provider_declines(stack):
    user = stack.user()
    fault = {"channel": "email", "kind": "reject_transient", "first": 1, "to": user["email"]}
    stack.sandbox.put("/faults", json=[fault]).raise_for_status()
    try:
        notification = stack.final(stack.send(user["id"], stack.template()))
    finally:
        stack.sandbox.put("/faults", json=[]).raise_for_status()
    assert (notification["status"], notification["attempts"]) == ("sent", 2)
    statuses = [entry["status"] for entry in notification["timeline"]]
    assert statuses == ["queued", "processing", "retrying", "processing", "sent"]


def test_a_test_key_sends_nothing(stack):
    made = stack.data(
        stack.api.post("/api-keys", json={"name": "try", "scopes": ["send"], "mode": "test"})
    )
    user, template_id = stack.user(), stack.template()
    response = httpx.post(
        f"{stack.url}/notifications/send",
        headers={"Authorization": f"Bearer {made['key']}"},
        json={
            "user_id": user["id"],
            "channel": "email",
            "template_id": template_id,
            "variables": {"name": "Ada"},
        },
    )
    notification = stack.final(stack.data(response)["request_id"])
    assert (notification["status"], notification["provider"]) == ("sent", "simulated")
    assert stack.received("email", user["email"]) == []


def test_the_one_door_documents_everything(stack):
    paths = httpx.get(f"{stack.url}/openapi.json").json()["paths"]
    assert {"/notifications/send", "/users", "/users/bulk", "/templates", "/api-keys"} <= set(paths)
