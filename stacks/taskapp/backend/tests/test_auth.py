from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest


def test_signing_up_logs_in(client: Any, signed_up: Callable[..., dict[str, str]]) -> None:
    answer = client.get("/api/auth/me", headers=signed_up())
    assert answer.json["user"]["email"] == "ada@example.org"
    assert "password_hash" not in answer.json["user"]


def test_email_is_one_account_whatever_its_case(
    client: Any, signed_up: Callable[..., dict[str, str]]
) -> None:
    signed_up()
    body = {"name": "Eve", "email": "ADA@example.org", "password": "another one"}
    answer = client.post("/api/auth/signup", json=body)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "email_taken")
    answer = client.post("/api/auth/login", json={"email": "Ada@Example.org", "password": "correct horse"})
    assert answer.status_code == 200


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_wrong_password_and_unknown_email_look_the_same(
    client: Any, signed_up: Callable[..., dict[str, str]], email: str
) -> None:
    signed_up()
    answer = client.post("/api/auth/login", json={"email": email, "password": "wrong"})
    assert answer.status_code == 401
    assert answer.json["error"] == {
        "code": "wrong_credentials",
        "message": "Wrong email or password. Please try again.",
    }


def test_every_mistake_of_a_form_is_named_at_once(client: Any) -> None:
    answer = client.post("/api/auth/signup", json={"name": " ", "email": "x", "password": "short"})
    assert answer.status_code == 422
    assert answer.json["error"]["fields"] == {
        "name": "Name is missing.",
        "email": "This does not look like an email address.",
        "password": "Password must have at least 8 characters.",
    }


def test_blanks_are_part_of_a_password(client: Any) -> None:
    body = {"email": "ada@example.org", "password": "  with blanks  "}
    assert client.post("/api/auth/signup", json=body | {"name": "Ada"}).status_code == 201
    assert client.post("/api/auth/login", json=body).status_code == 200
    assert client.post("/api/auth/login", json=body | {"password": "with blanks"}).status_code == 401


@pytest.mark.parametrize("field", ["name", "email", "password"])
@pytest.mark.parametrize("character", ["\\u0000", "\\ud800"])
def test_characters_that_cannot_be_stored_are_refused(client: Any, field: str, character: str) -> None:
    values = {"name": "Ada", "email": "ada@example.org", "password": "long enough"}
    values[field] += "@@"
    text = json.dumps(values).replace("@@", character)
    answer = client.post("/api/auth/signup", data=text, content_type="application/json")
    assert answer.status_code == 422
    assert list(answer.json["error"]["fields"]) == [field]


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"not json", "application/json"), (b"[1]", "application/json"), (b"a=b", "text/plain"), (b"", None)],
)
def test_a_body_that_is_no_json_object_is_refused(client: Any, body: bytes, kind: str | None) -> None:
    answer = client.post("/api/auth/login", data=body, content_type=kind)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_request")


def _token(**changes: Any) -> str:
    now = datetime.datetime.now(datetime.UTC)
    claims = {"sub": "1", "iat": now, "exp": now + datetime.timedelta(hours=1)} | changes
    return jwt.encode(claims, changes.pop("key", "j" * 32), algorithm="HS256")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer nonsense",
        "Basic YTpi",
        f"Bearer {jwt.encode({'sub': '1', 'exp': 4102444800}, 'x' * 32, algorithm='HS256')}",
        f"Bearer {jwt.encode({'sub': '1'}, 'j' * 32, algorithm='HS256')}",
        f"Bearer {jwt.encode({'sub': '1', 'exp': 4102444800}, None, algorithm='none')}",
        f"Bearer {_token(exp=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))}",
    ],
    ids=["none", "no-token", "nonsense", "basic", "other-key", "no-expiry", "unsigned", "expired"],
)
def test_without_a_valid_token_nothing_is_shown(client: Any, header: str) -> None:
    answer = client.get("/api/tasks", headers={"Authorization": header})
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "not_signed_in")


def test_browsers_are_let_in_from_the_configured_origin_only(client: Any) -> None:
    preflight = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    answer = client.options("/api/tasks/1", headers={"Origin": "http://localhost:3000", **preflight})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    answer = client.options("/api/tasks/1", headers={"Origin": "http://evil.example", **preflight})
    assert "Access-Control-Allow-Origin" not in answer.headers
