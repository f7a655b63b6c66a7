"""The states of a container and which verb is allowed in which. Pure.

    created ──start──▶ running ◀──unpause── paused
                        │   ▲  ──pause────▶   │
                 ends   │   │ back-off over   │ stop, kill
                        ▼   │                 ▼
         exited ◀── (restart policy?) ──▶ restarting
           │  ▲                              │ stop
           │  └──────────────────────────────┘
           └── remove ──▶ removing ──▶ (gone), or dead when its files cannot be removed

Refusals carry the words and statuses of Docker, which clients match on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stackwright.embedded.errors import Conflict, EngineError, NotModified


class Status(StrEnum):
    """`State.Status` of inspect."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


UP = frozenset({Status.RUNNING, Status.PAUSED})
"""A process exists."""
DOWN = frozenset({Status.CREATED, Status.EXITED, Status.DEAD})


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb is allowed, and how it is refused elsewhere (a status missing in `refusals` uses
    `otherwise`)."""

    allowed: frozenset[Status]
    refusals: dict[Status, tuple[type[EngineError], str]]
    otherwise: tuple[type[EngineError], str]


_NOT_RUNNING = (Conflict, "container {id} is not running")
_MARKED = (Conflict, "container is marked for removal and cannot be {verb}ed")
_ALREADY = (NotModified, "")

VERBS: dict[str, Verb] = {
    "start": Verb(
        frozenset({Status.CREATED, Status.EXITED, Status.RESTARTING}),
        {
            Status.RUNNING: _ALREADY,
            Status.PAUSED: (Conflict, "cannot start a paused container, try unpause instead"),
        },
        _MARKED,
    ),
    "stop": Verb(UP | {Status.RESTARTING}, {}, _ALREADY),
    "kill": Verb(
        UP | {Status.RESTARTING},
        {},
        (Conflict, "cannot kill container: {name}: container {id} is not running"),
    ),
    "pause": Verb(
        frozenset({Status.RUNNING}),
        {
            Status.PAUSED: (Conflict, "container {id} is already paused"),
            Status.RESTARTING: (
                Conflict,
                "container {id} is restarting, wait until the container is running",
            ),
        },
        _NOT_RUNNING,
    ),
    "unpause": Verb(frozenset({Status.PAUSED}), {}, (Conflict, "Container {id} is not paused")),
    "exec": Verb(
        frozenset({Status.RUNNING}),
        {
            Status.PAUSED: (Conflict, "container {name} is paused, unpause the container before exec"),
            Status.RESTARTING: (
                Conflict,
                "Container {id} is restarting, wait until the container is running",
            ),
        },
        _NOT_RUNNING,
    ),
    "top": Verb(UP, {}, _NOT_RUNNING),
    "resize": Verb(UP, {}, _NOT_RUNNING),
    "remove": Verb(
        DOWN,
        {
            Status.RUNNING: (
                Conflict,
                'cannot remove container "/{name}": container is running: '
                "stop the container before removing or force remove",
            ),
            Status.PAUSED: (
                Conflict,
                'cannot remove container "/{name}": container is paused and must be unpaused first',
            ),
            Status.RESTARTING: (
                Conflict,
                'cannot remove container "/{name}": container is restarting: '
                "stop the container before removing or force remove",
            ),
        },
        (Conflict, "removal of container {id} is already in progress"),
    ),
}


def check(verb: str, status: Status, *, name: str, container_id: str) -> None:
    """Raise the refusal when `verb` is not allowed in `status`; NotModified when it changes nothing."""
    rule = VERBS[verb]
    if status in rule.allowed:
        return
    kind, text = rule.refusals.get(status, rule.otherwise)
    raise kind(text.format(id=container_id, name=name, verb=verb))
