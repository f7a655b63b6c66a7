"""Whether and when a container that ended is started again. Pure: facts in, a decision with its reason out.

Docker's rules (`docker run --restart`): back-off starts at 100 ms, doubles up to a minute, and starts over
once a run lasted ten seconds. A container that somebody stopped stays stopped whatever its policy says.
"""

from __future__ import annotations

from dataclasses import dataclass

from stackwright.embedded.errors import BadParameter
from stackwright.embedded.lifecycle.config import RestartPolicy

FIRST_DELAY = 0.1
LONGEST_DELAY = 60.0
STABLE_AFTER = 10.0
_POLICIES = ("", "no", "always", "unless-stopped", "on-failure")


@dataclass(frozen=True, slots=True)
class Ended:
    """What is known when a run ends. `ran` in seconds; `last_delay` is the delay before that run, 0 for
    none."""

    exit_code: int
    ran: float
    restarts: int
    last_delay: float
    stopped_by_user: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """`delay` in seconds, None = stays down. `reason` is fit for people."""

    delay: float | None
    reason: str


def decide(policy: str, maximum: int, ended: Ended) -> Decision:
    """Policy name ("", no, always, unless-stopped, on-failure) and its maximum of retries → decision."""
    if ended.stopped_by_user:
        return Decision(None, "stopped by the user")
    if policy in ("", "no"):
        return Decision(None, "no restart policy")
    if policy == "on-failure":
        if ended.exit_code == 0:
            return Decision(None, "ended well")
        if maximum and ended.restarts >= maximum:
            return Decision(None, f"failed again after {maximum} restarts")
    return Decision(_next_delay(ended), f"policy {policy}, exit code {ended.exit_code}")


def decide_at_boot(policy: str, *, was_running: bool, stopped_by_user: bool, host_rebooted: bool) -> bool:
    """Whether a container that is not running when the engine starts should be started now.

    `always` revives even what a user stopped, but only after a reboot: an engine started on demand comes and
    goes, and a stopped container coming back with the next `ps` would surprise.
    """
    if policy == "always" and host_rebooted:
        return True
    return policy in ("always", "unless-stopped", "on-failure") and was_running and not stopped_by_user


def _next_delay(ended: Ended) -> float:
    if ended.ran >= STABLE_AFTER or ended.last_delay <= 0:
        return FIRST_DELAY
    return min(ended.last_delay * 2, LONGEST_DELAY)


def check_policy(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Raise BadParameter for a restart policy that Docker would not take."""
    if policy.name not in _POLICIES:
        raise BadParameter(f"invalid restart policy: unknown policy '{policy.name}'")
    if policy.maximum_retry_count and policy.name != "on-failure":
        raise BadParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    if policy.maximum_retry_count < 0:
        raise BadParameter("invalid restart policy: maximum retry count cannot be negative")
    if auto_remove and policy.name not in ("", "no"):
        raise BadParameter("can't create 'AutoRemove' container with restart policy")
