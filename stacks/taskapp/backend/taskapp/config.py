"""Settings, from the environment only; a missing or unsafe one stops the start with a clear line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


class ConfigError(Exception):
    """A setting is missing or unusable; the message says which and how to mend it."""


@dataclass(frozen=True)
class Config:
    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    jwt_secret_key: str = field(repr=False)
    cors_origins: tuple[str, ...]
    token_hours: int = 12

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Read the settings; raises `ConfigError` naming every one that is missing."""
        required = ("DATABASE_URL", "SECRET_KEY", "JWT_SECRET_KEY")
        missing = [name for name in required if not environ.get(name)]
        if missing:
            raise ConfigError(f"Please set {', '.join(missing)} (see .env.example).")
        # RFC 7518, 3.2: an HS256 key has at least 256 bits, or tokens can be guessed offline.
        if len(environ["JWT_SECRET_KEY"].encode()) < 32:
            raise ConfigError("JWT_SECRET_KEY must be at least 32 characters long (./make-env makes one).")
        origins = environ.get("CORS_ORIGINS", "http://localhost:3000")
        return cls(
            database_url=environ["DATABASE_URL"],
            secret_key=environ["SECRET_KEY"],
            jwt_secret_key=environ["JWT_SECRET_KEY"],
            cors_origins=tuple(part.strip() for part in origins.split(",") if part.strip()),
        )
