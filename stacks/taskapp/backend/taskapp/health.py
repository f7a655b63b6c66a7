"""`GET /api/health`: healthy only while the database answers."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify

from .errors import DatabaseUnavailable

SERVICE = "task-management-backend"
blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> tuple[Response, int]:
    try:
        with current_app.extensions["taskapp.database"].transaction() as cursor:
            cursor.execute("SELECT count(*) AS migrations FROM schema_migrations")
    except DatabaseUnavailable:
        return _answer("unhealthy", "The database does not answer", 503)
    return _answer("healthy", "Service is running", 200)


def _answer(status: str, message: str, code: int) -> tuple[Response, int]:
    response = jsonify(status=status, service=SERVICE, message=message)
    response.headers["Cache-Control"] = "no-store"
    return response, code
