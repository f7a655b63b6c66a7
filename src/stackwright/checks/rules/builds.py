"""Builds: whether the Compose file and the Dockerfile speak of the same things."""

from __future__ import annotations

from collections.abc import Iterator

from stackwright.checks.builds import dockerfile_path
from stackwright.checks.finding import Hit, Place
from stackwright.checks.knowledge.credentials import harmless, names_credential
from stackwright.checks.knowledge.ends import ended
from stackwright.checks.knowledge.references import parse_image
from stackwright.checks.rule import ERROR, WARNING, rule
from stackwright.checks.service import ServiceView
from stackwright.checks.subject import Subject
from stackwright.dockerfile import DockerIgnore
from stackwright.dockerfile.stages import arguments


def _target(service: ServiceView) -> str:
    return str(service.mapping("build").get("target") or "")


@rule(
    "SW711",
    "build-file-missing",
    ERROR,
    reason="The build cannot start: the folder or the Dockerfile is not there.",
    mend="correct the path; it is relative to the project's folder, the Dockerfile's to the context",
)
def build_file_missing(subject: Subject) -> Iterator[Hit]:
    """A build context or Dockerfile that does not exist."""
    if not subject.files.look:
        return
    for service in subject.each:
        if "build" not in service.data:
            continue
        path, context = dockerfile_path(service), str(service.mapping("build").get("context") or "")
        if not context.startswith("/"):
            continue
        if not subject.files.is_folder(context):
            yield service.hit(
                f"is built from {context}, which is no folder",
                service.at("build", "context"),
                "build.context",
            )
        elif path and not subject.files.exists(path):
            yield service.hit(
                f"is built from {path}, which does not exist",
                service.at("build", "dockerfile"),
                "build.dockerfile",
            )


@rule(
    "SW712",
    "build-target-missing",
    ERROR,
    reason="The build stops: its Dockerfile has no stage of that name.",
    mend="name a stage of the Dockerfile",
)
def build_target_missing(subject: Subject) -> Iterator[Hit]:
    """``build.target`` that the Dockerfile does not have."""
    for service in subject.each:
        build, target = service.build, _target(service)
        if build is not None and build.file is not None and target and build.stage(target) is None:
            from stackwright.model.nearest import nearest

            names = [stage.name for stage in build.file.stages if stage.name]
            guess = nearest(target, names)
            mend = (
                f'did you mean "{guess}"?'
                if guess
                else f"its stages are: {', '.join(names) or 'without names'}"
            )
            yield service.hit(
                f'is built to the stage "{target}", which its Dockerfile does not have',
                service.at("build", "target"),
                "build.target",
                mend=mend,
            )


_PREDEFINED = frozenset(
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "TARGETPLATFORM", "TARGETOS", "TARGETARCH", "BUILDPLATFORM"]
)  # fmt: skip


@rule(
    "SW713",
    "build-argument-unused",
    WARNING,
    reason="The Dockerfile has no ARG of that name, so the value goes nowhere.",
    mend="add ARG to the Dockerfile, or remove the argument",
)
def build_argument_unused(subject: Subject) -> Iterator[Hit]:
    """A build argument that the Dockerfile does not declare."""
    for service in subject.each:
        build = service.build
        if build is None or build.file is None:
            continue
        instructions = [
            *build.file.global_args,
            *(one for stage in build.file.stages for one in stage.instructions if one.name == "ARG"),
        ]
        declared = {name for one in instructions for name, _ in arguments(one)}
        given = service.mapping("build", "args")
        for name in given:
            if name not in declared and name not in _PREDEFINED and not str(name).startswith("BUILDKIT_"):
                yield service.hit(
                    f"gives its build the argument {name}, which the Dockerfile does not have",
                    given.key_mark(name),
                    "build.args",
                )


@rule(
    "SW714",
    "dockerfile-mistake",
    ERROR,
    reason="The build stops at this line.",
    mend="correct the Dockerfile",
)
def dockerfile_mistake(subject: Subject) -> Iterator[Hit]:
    """A Dockerfile that cannot be read."""
    for service in subject.each:
        build = service.build
        if build is not None and build.problem:
            place = Place(build.path, build.problem_line, 1) if build.path else None
            yield service.hit(
                f"has a Dockerfile that cannot be built: {build.problem}",
                service.key("build"),
                "build",
                place=place,
            )


@rule(
    "SW715",
    "base-image",
    WARNING,
    reason="The same Dockerfile gives another image tomorrow, or one whose base gets no fixes.",
    mend="name a version that is maintained after FROM",
)
def base_image(subject: Subject) -> Iterator[Hit]:
    """``FROM`` without a version, with ``latest``, or with one that has ended."""
    for service in subject.each:
        build = service.build
        if build is None or build.file is None or not build.path:
            continue
        for stage in build.file.stages:
            base = build.base(stage)
            if not base or base == "scratch" or "$" in base or build.file.earlier_stage(base, stage.index):
                continue
            image = parse_image(base)
            place = build.place(stage.start.line)
            if not image.digest and image.tag in ("", "latest"):
                yield service.hit(
                    f'is built on "{base}", whatever version that is today', 0, "build", place=place
                )
            elif when := ended(image):
                yield service.hit(
                    f"is built on {base}, which has got no fixes since {when}", 0, "build", place=place
                )


@rule(
    "SW716",
    "secret-in-dockerfile",
    ERROR,
    reason="What ENV and ARG set stays readable in the image for everybody who can pull it.",
    mend="use RUN --mount=type=secret in the build, and the environment at run time",
)
def secret_in_dockerfile(subject: Subject) -> Iterator[Hit]:
    """A password or key in ``ENV`` or as the default of ``ARG``."""
    for service in subject.each:
        build = service.build
        if build is None or build.file is None or not build.path:
            continue
        for one in build.instructions(_target(service), "ENV", "ARG"):
            pairs = (
                _pairs(one.args)
                if one.name == "ENV"
                else [(name, default or "") for name, default in arguments(one)]
            )
            for name, value in pairs:
                text = value.strip("\"'")
                if names_credential(name) and not harmless(text) and not text.startswith("$"):
                    yield service.hit(
                        f"writes {name} into its image", 0, "build", place=build.place(one.line)
                    )


def _pairs(words: tuple[str, ...]) -> list[tuple[str, str]]:
    if words and "=" not in words[0]:
        return [(words[0], " ".join(words[1:]))]
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


@rule(
    "SW717",
    "port-not-exposed",
    WARNING,
    reason="The image says on which ports its program listens, and this is none of them: the published port leads nowhere.",
    mend="publish the port that the Dockerfile exposes, or correct EXPOSE",
)
def port_not_exposed(subject: Subject) -> Iterator[Hit]:
    """A published container port that the Dockerfile's ``EXPOSE`` does not name."""
    for service in subject.each:
        build = service.build
        if (
            build is None
            or build.file is None
            or service.data.get("command")
            or "PORT" in " ".join(service.environment)
        ):
            continue
        exposed: set[int] = set()
        plain = True
        for one in build.instructions(_target(service), "EXPOSE"):
            for word in one.args:
                first, _, last = word.partition("/")[0].partition("-")
                plain = plain and first.isdigit()
                exposed |= (
                    set(range(int(first), int(last or first) + 1))
                    if first.isdigit() and (last or first).isdigit()
                    else set()
                )
        ports = [port for port in service.published if port.target not in exposed]
        # Several published ports are often debuggers and the like, which nobody exposes.
        if exposed and plain and ports and len(ports) == len(service.published):
            shown = ", ".join(str(port) for port in sorted(exposed))
            message = f"publishes container port {ports[0].target}, but its Dockerfile exposes {shown}"
            yield service.hit(message, ports[0].mark, "ports")


@rule(
    "SW718",
    "secrets-in-context",
    WARNING,
    reason="COPY takes along the .env file with its passwords, and everybody who can pull the image can read it.",
    mend="list .env in .dockerignore",
)
def secrets_in_context(subject: Subject) -> Iterator[Hit]:
    """``COPY . .`` with a ``.env`` in the context that ``.dockerignore`` does not name."""
    for service in subject.each:
        build, context = service.build, str(service.mapping("build").get("context") or "")
        if (
            build is None
            or build.file is None
            or not build.path
            or not subject.files.is_file(f"{context}/.env")
        ):
            continue
        ignore = subject.files.read(f"{build.path}.dockerignore") or subject.files.read(
            f"{context}/.dockerignore"
        )
        if ignore is not None and DockerIgnore.parse(ignore.decode("utf-8", "replace")).excludes(".env"):
            continue
        for one in build.instructions(_target(service), "COPY", "ADD"):
            if (
                len(one.args) >= 2
                and any(source in (".", "./", "*", "/") for source in one.args[:-1])
                and not one.flag("from")
            ):
                yield service.hit(
                    "copies its .env file into the image", 0, "build", place=build.place(one.line)
                )
                break
