"""What looks like a credential: names of variables, well-known values, shapes of tokens."""

from __future__ import annotations

import math
import re

_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASS|PWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SECRET_?KEY|ENCRYPTION_?KEY|SIGNING_?KEY|"
    r"MASTER_?KEY|AUTH_?KEY|APP_KEY|JWT_KEY|PASSPHRASE|SECRET_KEY_BASE|SALT)(?:_?\d+)?$|(?:PASSWORD|PASSWD|SECRETKEY|APIKEY)$",
    re.IGNORECASE,
)
_NOT_NAME = re.compile(
    r"PUBLIC|CLUSTER_TOKEN|TOKEN_TYPE|_FILE$|_PATH$|_DIR$|_NAME$|_ID$|ALLOW_EMPTY|CSRF_COOKIE|MAX_|MIN_|_TTL|NO_PASSWORD|RANDOM_ROOT|ASK_|CHANGE_PASSWORD|RESET_PASSWORD|DISABLE|ENABLE|FORCE",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"^(?:true|false|yes|no|on|off|none|null|\d{1,3}|/.*|\*+|disabled|enabled|https?://.*)$", re.IGNORECASE
)

WELL_KNOWN = frozenset(
    ["admin", "administrator", "root", "toor", "password", "passwd", "pass", "secret", "changeme", "change-me", "change_me", "changeit", "changethis", "change-this", "default", "example", "test", "testing", "test123", "demo", "guest", "user", "postgres", "mysql", "mariadb", "mongo", "mongodb", "redis", "rabbitmq", "minio", "minioadmin", "elastic", "neo4j", "grafana", "sa", "letmein", "welcome", "qwerty", "abc123", "123456", "12345678", "1234", "12345", "123456789", "password1", "password123", "admin123", "root123", "pass123", "secret123", "p@ssw0rd", "passw0rd", "development", "dev", "devpassword", "dev-secret", "mysecretpassword", "mysecret", "supersecret", "super-secret", "super_secret", "verysecret", "notsecret", "insecure", "placeholder", "foobar", "foo", "bar", "keyboard cat"]
)  # fmt: skip
_PLACEHOLDER = re.compile(
    r"change[-_ ]?(?:me|it|this)|your[-_ ]|_here$|replace[-_ ]?(?:me|this|with)|^<.*>$|^xxx+$|placeholder|todo|insert[-_ ]|change[-_ ]in[-_ ]prod",
    re.IGNORECASE,
)

TOKENS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}\b")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b")),
    ("a Stripe live key", re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}\b")),
    ("a Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("an OpenAI key", re.compile(r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}\b")),
    ("an Anthropic key", re.compile(r"\bsk-ant-[A-Za-z0-9_-]{24,}\b")),
    ("a SendGrid key", re.compile(r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}\b")),
    ("an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
)
"""Shapes that only real credentials have."""


def names_credential(name: str) -> bool:
    """Whether a variable of this name holds a credential."""
    return bool(_NAME.search(name)) and not _NOT_NAME.search(name)


def harmless(value: str) -> bool:
    """Whether a value cannot be a credential: a switch, a small number, a path."""
    return not value.strip() or bool(_HARMLESS.match(value.strip()))


def guessable(value: str) -> bool:
    """Whether everybody knows the value, or it is a placeholder that somebody forgot to replace."""
    text = value.strip().lower()
    return text in WELL_KNOWN or text.rstrip("0123456789!") in WELL_KNOWN or bool(_PLACEHOLDER.search(value))


def entropy(value: str) -> float:
    """Bits per character: about 4 and more for random text, below 3.5 for words."""
    counts = {sign: value.count(sign) for sign in set(value)}
    return (
        -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
        if value
        else 0.0
    )


def describe(value: str) -> str:
    """How bad it is that a value is written out, without showing it."""
    if guessable(value):
        return "a value that everybody knows"
    if len(value) >= 20 and entropy(value) >= 4.0:
        return "what looks like a real key"
    return "in plain text"


def token_in(text: str) -> str:
    """What kind of real token a text holds; empty for none."""
    if len(text) < 20:
        return ""
    return next((what for what, pattern in TOKENS if pattern.search(text)), "")
