"""The state machine: each verb in each state."""

from __future__ import annotations

import pytest

from stackwright.embedded.errors import Conflict, EngineError, NotModified
from stackwright.embedded.lifecycle.machine import VERBS, Status, check


@pytest.mark.parametrize("verb", sorted(VERBS))
@pytest.mark.parametrize("status", list(Status))
def test_every_verb_is_allowed_or_refused_with_words_in_every_state(verb: str, status: Status) -> None:
    try:
        check(verb, status, name="web", container_id="abc")
    except NotModified:
        pass
    except EngineError as error:
        assert error.message and "{" not in error.message
    else:
        assert status in VERBS[verb].allowed


@pytest.mark.parametrize(
    ("verb", "status", "refusal"),
    [
        ("start", Status.RUNNING, NotModified),
        ("start", Status.PAUSED, Conflict),
        ("stop", Status.EXITED, NotModified),
        ("stop", Status.CREATED, NotModified),
        ("kill", Status.EXITED, Conflict),
        ("pause", Status.PAUSED, Conflict),
        ("unpause", Status.RUNNING, Conflict),
        ("exec", Status.PAUSED, Conflict),
        ("remove", Status.RUNNING, Conflict),
        ("remove", Status.REMOVING, Conflict),
    ],
)
def test_refusals_are_dockers(verb: str, status: Status, refusal: type[EngineError]) -> None:
    with pytest.raises(refusal):
        check(verb, status, name="web", container_id="abc")
