"""Security: what a container may do to the machine that it runs on."""

from __future__ import annotations

from collections.abc import Iterator

from stackwright.checks.finding import Hit
from stackwright.checks.knowledge.software import SOCKET_TOOLS
from stackwright.checks.rule import ADVICE, ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject


@rule(
    "SW621",
    "privileged",
    WARNING,
    production=ERROR,
    reason="A privileged container can do whatever root on the host can: it is no boundary.",
    mend="remove it and add the one capability or device that is needed",
)
def privileged(subject: Subject) -> Iterator[Hit]:
    """``privileged: true``."""
    for service in subject.each:
        if service.data.get("privileged"):
            yield service.hit("is privileged", service.key("privileged"), "privileged")


_SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
)


@rule(
    "SW622",
    "engine-socket",
    WARNING,
    reason="Whoever can speak to the engine's socket can start a privileged container: it is root on the host, read-only or not.",
    mend="put a socket proxy in between that lets through only what is needed",
)
def engine_socket(subject: Subject) -> Iterator[Hit]:
    """The Docker socket mounted into a container; advice for programs that are made for it."""
    for service in subject.each:
        for index, mount in enumerate(service.items("volumes")):
            if mount.get("source") in _SOCKETS:
                made_for_it = service.image is not None and any(
                    tool in service.image.last for tool in SOCKET_TOOLS
                )
                severity = ADVICE if made_for_it else None
                yield service.hit(
                    "can control the engine through its socket",
                    service.at("volumes", index),
                    "volumes",
                    severity=severity,
                )


@rule(
    "SW623",
    "host-namespace",
    WARNING,
    reason="The container sees and reaches what belongs to the host: its network, its processes, its shared memory.",
    mend="remove it; publish the ports that are needed",
)
def host_namespace(subject: Subject) -> Iterator[Hit]:
    """``network_mode``, ``pid``, ``ipc``, ``uts`` or ``userns_mode`` of the host."""
    for service in subject.each:
        for key in ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup"):
            if service.data.get(key) == "host" and not (service.kind == "metrics" or _watches_host(service)):
                yield service.hit(f"shares the host's {key.removesuffix('_mode')}", service.key(key), key)


def _watches_host(service: ServiceView) -> bool:
    """Programs whose purpose is to look at the host."""
    return service.image is not None and service.image.last in (
        "node-exporter",
        "cadvisor",
        "telegraf",
        "netdata",
        "home-assistant",
        "datadog",
        "agent",
        "plex",
    )


@rule(
    "SW624",
    "strong-capability",
    WARNING,
    reason="With this capability a program in the container can take over the host.",
    mend="remove it, or name the narrower capability that is needed",
)
def strong_capability(subject: Subject) -> Iterator[Hit]:
    """``cap_add`` of ALL, SYS_ADMIN and their like."""
    strong = {"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF", "SYS_BOOT"}
    for service in subject.each:
        for capability in service.data.get("cap_add") or ():
            name = str(capability).upper().removeprefix("CAP_")
            if name in strong and not service.data.get("privileged"):
                yield service.hit(f"is given the capability {name}", service.key("cap_add"), "cap_add")


@rule(
    "SW625",
    "protection-off",
    WARNING,
    reason="Seccomp, AppArmor and SELinux stop a program in the container from attacking the kernel.",
    mend="remove it, or give a profile that allows the one thing that is needed",
)
def protection_off(subject: Subject) -> Iterator[Hit]:
    """``security_opt`` that switches a protection off."""
    for service in subject.each:
        for option in service.data.get("security_opt") or ():
            text = str(option).replace("=", ":").replace(" ", "")
            if text in (
                "seccomp:unconfined",
                "apparmor:unconfined",
                "label:disable",
                "systempaths:unconfined",
            ):
                yield service.hit(
                    f"switches off a protection ({option})", service.key("security_opt"), "security_opt"
                )


_SENSITIVE = (
    "/",
    "/etc",
    "/root",
    "/proc",
    "/sys",
    "/boot",
    "/dev",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/var",
    "/home",
    "/var/run",
    "/run",
    "/var/lib/docker",
)


@rule(
    "SW626",
    "host-folder",
    WARNING,
    production=ERROR,
    reason="A program that can write there can take over the host.",
    mend="mount only the file or folder that is needed, read-only",
)
def host_folder(subject: Subject) -> Iterator[Hit]:
    """A folder of the host's system mounted for writing."""
    for service in subject.each:
        for index, mount in enumerate(service.items("volumes")):
            source = str(mount.get("source") or "")
            writable = not mount.get("read_only")
            if mount.get("type") == "bind" and source in _SENSITIVE and writable and source != subject.folder:
                yield service.hit(f"can write the host's {source}", service.at("volumes", index), "volumes")


@rule(
    "SW627",
    "runs-as-root",
    WARNING,
    reason="A fault in the program then gives an attacker root in the container, which is halfway to the host.",
    mend="run as an ordinary user",
)
def runs_as_root(subject: Subject) -> Iterator[Hit]:
    """``user: root``; in production also images built here without a ``USER``."""
    for service in subject.each:
        user = str(service.data.get("user") or "").partition(":")[0]
        if user in ("root", "0"):
            yield service.hit("runs as root", service.at("user"), "user")
            continue
        build = service.build
        if user or build is None or build.file is None or not subject.strict:
            continue
        target = str(service.mapping("build").get("target") or "")
        users = build.instructions(target, "USER")
        base = build.base_image(target)
        if not users and base and "nonroot" not in base and "unprivileged" not in base and "/" not in base:
            stage = build.stage(target)
            place = build.place(stage.start.line) if stage and build.path else None
            mend = "add USER to the Dockerfile"
            yield service.hit(
                "runs as root: its Dockerfile names no USER",
                service.key("build"),
                "build",
                place=place,
                mend=mend,
                severity=ADVICE,
            )


@rule(
    "SW628",
    "writable-root",
    None,
    production=ADVICE,
    reason="An attacker who cannot write files in the container has much less to work with.",
    mend="set read_only: true, with a tmpfs for what must be written",
)
def writable_root(subject: Subject) -> Iterator[Hit]:
    """Services built here that run in production without ``read_only``."""
    for service in subject.each:
        if "build" in service.data and not service.data.get("read_only") and not service.one_shot:
            yield service.hit("can write everywhere in its container", service.mark, "read_only")


@rule(
    "SW629",
    "all-capabilities",
    None,
    production=ADVICE,
    reason="Ordinary services need none of the capabilities that every container is given.",
    mend="add cap_drop: [ALL], and cap_add for what is missing then",
)
def all_capabilities(subject: Subject) -> Iterator[Hit]:
    """Services built here that run in production without ``cap_drop``."""
    for service in subject.each:
        if (
            "build" in service.data
            and not service.data.get("cap_drop")
            and not service.data.get("privileged")
            and not service.one_shot
        ):
            yield service.hit("keeps all the capabilities of a container", service.mark, "cap_drop")


@rule(
    "SW630",
    "new-privileges",
    None,
    production=ADVICE,
    reason="A set-uid program in the image can give its caller root again.",
    mend='add security_opt: ["no-new-privileges:true"]',
)
def new_privileges(subject: Subject) -> Iterator[Hit]:
    """Services built here that run in production without no-new-privileges."""
    for service in subject.each:
        options = " ".join(str(option) for option in service.data.get("security_opt") or ())
        if "build" in service.data and "no-new-privileges" not in options and not service.one_shot:
            yield service.hit("may gain privileges through set-uid programs", service.mark, "security_opt")
