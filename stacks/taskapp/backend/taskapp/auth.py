"""Sign-up, log-in and the token that every other request carries."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jwt
import psycopg2.errors
from flask import Blueprint, Response, current_app, g, jsonify, request
from werkzeug.security import check_password_hash, generate_password_hash

from . import fields
from .config import Config
from .errors import EmailTaken, NotSignedIn, WrongCredentials

blueprint = Blueprint("auth", __name__)
View = TypeVar("View", bound=Callable[..., Any])

_SIGN_UP = {
    "name": fields.text("Name", longest=80),
    "email": fields.email,
    "password": fields.new_password,
}
_LOG_IN = {"email": fields.text("Email", longest=254), "password": fields.password}
_COLUMNS = "id, email, name, created_at"


@blueprint.post("/auth/signup")
def sign_up() -> tuple[Response, int]:
    values = fields.parse(fields.body(), _SIGN_UP)
    hashed = generate_password_hash(values["password"])
    try:
        with current_app.extensions["taskapp.database"].transaction() as cursor:
            cursor.execute(
                f"INSERT INTO users (email, name, password_hash) VALUES (%s, %s, %s) RETURNING {_COLUMNS}",
                (values["email"], values["name"], hashed),
            )
            user = cursor.fetchone()
    except psycopg2.errors.UniqueViolation:
        raise EmailTaken(
            "There is already an account with this email. Log in instead?",
            {"email": "There is already an account with this email. Log in instead?"},
        ) from None
    return jsonify(token=_token(user["id"]), user=_shown(user)), 201


@blueprint.post("/auth/login")
def log_in() -> Response:
    values = fields.parse(fields.body(), _LOG_IN)
    with current_app.extensions["taskapp.database"].transaction() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS}, password_hash FROM users WHERE email = %s", (values["email"].lower(),)
        )
        user = cursor.fetchone()
    # An unknown address costs as much time as a wrong password, so that neither can be told apart.
    hashed = user["password_hash"] if user else _hash_of_nobody()
    if not check_password_hash(hashed, values["password"]) or user is None:
        raise WrongCredentials("Wrong email or password. Please try again.")
    return jsonify(token=_token(user["id"]), user=_shown(user))


def signed_in(view: View) -> View:
    """Let only a request with a valid token through; `g.user_id` is then set."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedIn("Please log in first.")
        try:
            claims = jwt.decode(
                token.strip(),
                _config().jwt_secret_key,
                algorithms=["HS256"],
                options={"require": ["exp", "sub"]},
            )
            g.user_id = int(claims["sub"])
        except jwt.ExpiredSignatureError:
            raise NotSignedIn("Your session has ended. Please log in again.") from None
        except (jwt.InvalidTokenError, ValueError):
            raise NotSignedIn("This session is not valid. Please log in again.") from None
        return view(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


@blueprint.get("/auth/me")
@signed_in
def me() -> Response:
    with current_app.extensions["taskapp.database"].transaction() as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM users WHERE id = %s", (g.user_id,))
        user = cursor.fetchone()
    if user is None:
        raise NotSignedIn("This account is no longer there. Please sign up again.")
    return jsonify(user=_shown(user))


def _token(user_id: int) -> str:
    now = datetime.datetime.now(datetime.UTC)
    expires = now + datetime.timedelta(hours=_config().token_hours)
    claims = {"sub": str(user_id), "iat": now, "exp": expires}
    return jwt.encode(claims, _config().jwt_secret_key, algorithm="HS256")


def _shown(user: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": user["id"],
        "email": user["email"],
        "name": user["name"],
        "created_at": user["created_at"].isoformat(),
    }


@functools.cache
def _hash_of_nobody() -> str:
    return generate_password_hash("nobody's password")


def _config() -> Config:
    return current_app.extensions["taskapp.config"]  # type: ignore[no-any-return]
