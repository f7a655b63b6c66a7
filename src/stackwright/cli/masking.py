"""Values that are shown to people, without the credentials in them."""

from __future__ import annotations

import re

from stackwright.checks.knowledge.credentials import names_credential, token_in

MASK = "***"
_LOGIN = re.compile(r"(\w+://[^\s/:@]*):[^\s@]+@")


def masked(name: str, value: str | None) -> str | None:
    """The value of the variable or key `name`; `***` for what its name or shape says is a credential.

    >>> masked("environment.DB_PASSWORD", "x1"), masked("a", "postgres://me:secret@db/x"), masked("a", None)
    ('***', 'postgres://me:***@db/x', None)
    """
    if not value:
        return value
    if names_credential(name.rpartition(".")[2]) or token_in(value):
        return MASK
    return _LOGIN.sub(rf"\1:{MASK}@", value)
