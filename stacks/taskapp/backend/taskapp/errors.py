# ruff: noqa: N818 - the leaves of the tree say what happened
"""Errors that a client sees: one JSON shape, `{"error": {"code", "message", "fields"?}}`."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException


class ApiError(Exception):
    """An answer other than success; `message` is shown to the person as it is."""

    status = 400
    code = "bad_request"

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})


class InvalidInput(ApiError):
    status, code = 422, "invalid_input"


class NotSignedIn(ApiError):
    status, code = 401, "not_signed_in"


class WrongCredentials(ApiError):
    status, code = 401, "wrong_credentials"


class NotFound(ApiError):
    status, code = 404, "not_found"


class EmailTaken(ApiError):
    status, code = 409, "email_taken"


class DatabaseUnavailable(ApiError):
    status, code = 503, "database_unavailable"

    def __init__(self) -> None:
        super().__init__("The database does not answer just now. Please try again in a moment.")


def register(app: Flask) -> None:
    """Turn `ApiError`, HTTP errors and bugs into the one JSON shape."""

    @app.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[Response, int]:
        return _answer(error.code, error.message, error.status, error.fields)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[Response, int]:
        status = error.code or 500
        code = (error.name or "error").lower().replace(" ", "_")
        return _answer(code, error.description or error.name, status, {})

    @app.errorhandler(Exception)
    def bug(error: Exception) -> tuple[Response, int]:
        app.logger.exception("unexpected error", exc_info=error)
        return _answer("internal_error", "Something went wrong on our side.", 500, {})


def _answer(code: str, message: str, status: int, fields: Mapping[str, str]) -> tuple[Response, int]:
    body: dict[str, object] = {"code": code, "message": message}
    if fields:
        body["fields"] = fields
    return jsonify(error=body), status
