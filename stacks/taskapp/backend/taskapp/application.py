"""The task management API: sign-up, log-in and each user's own tasks, over PostgreSQL."""

from __future__ import annotations

from flask import Flask
from flask_cors import CORS

from . import auth, errors, health, tasks
from .config import Config
from .database import Database


def create_app(config: Config | None = None) -> Flask:
    """The WSGI application. Opens no connection: each worker thread does so on its first request."""
    config = config or Config.from_environment()
    app = Flask(__name__)
    app.config.update(SECRET_KEY=config.secret_key, MAX_CONTENT_LENGTH=256 * 1024)
    app.json.sort_keys = True  # type: ignore[attr-defined]
    app.extensions["taskapp.config"] = config
    app.extensions["taskapp.database"] = Database(config.database_url)
    CORS(
        app,
        resources={r"/api/*": {"origins": list(config.cors_origins)}},
        allow_headers=["Authorization", "Content-Type"],
        methods=["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
        max_age=600,
    )
    errors.register(app)
    for module in (health, auth, tasks):
        app.register_blueprint(module.blueprint, url_prefix="/api")
    return app
