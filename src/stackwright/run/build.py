"""Builds a service's image: packs the context, passes proxies and the host's CA, reports progress."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from stackwright.dockerfile import DockerfileError, base_images, parse
from stackwright.engine.errors import ApiError, BuildFailed
from stackwright.model.types import Build, Service
from stackwright.plan import labels
from stackwright.run import buildcontexts, buildinputs
from stackwright.run import context as contexts
from stackwright.run.errors import RunError, Unsupported
from stackwright.run.events import Note, Output, Progress, Stage, printed
from stackwright.run.session import Session, image_id, place

NOT_PASSED_ON = ("entitlements", "privileged", "cache_to")
"""Keys for which the Engine API's classic builder has no place; said, never dropped in silence."""
ONLY_EMBEDDED = ("secrets", "ssh", "additional_contexts")
"""Keys that our own engine takes besides (run/buildinputs)."""
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "CURL_CA_BUNDLE")
_IMAGE_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
"""A path component of the Distribution Specification, which the names that we make up must be."""
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)")
_CERTIFICATE_SIGNS = (
    "self-signed certificate",
    "self signed certificate",
    "certificate verify failed",
    "unable to get local issuer certificate",
    "certificate signed by unknown authority",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "server certificate verification failed",
)


class BuildError(RunError):
    """A service's image could not be built; `output` holds the last lines of the build."""

    code = "image.build_failed"

    def __init__(self, message: str, output: tuple[str, ...], *, hint: str = "", place: str = "") -> None:
        super().__init__(message, hint=hint, place=place)
        self.output = output


def proxy_arguments(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables that are set, in the spelling in which they are set: Docker's predefined args."""
    names = [*PROXY_VARIABLES, *(name.lower() for name in PROXY_VARIABLES)]
    return {name: environ[name] for name in names if environ.get(name)}


def host_ca(environ: Mapping[str, str]) -> str | None:
    """The CA bundle that the host's environment names, if it can be read."""
    for name in CA_VARIABLES:
        path = environ.get(name)
        if path and os.access(path, os.R_OK):
            return path
    return None


async def build(
    session: Session,
    service: Service,
    name: str,
    *,
    ensure_base: Callable[[str], Awaitable[None]],
    ensure_service: Callable[[str], Awaitable[str]],
    fetch: Callable[[str], Awaitable[bool]],
    no_cache: bool = False,
    arguments: Mapping[str, str | None] | None = None,
    quiet: bool = False,
    memory: int | None = None,
) -> str:
    """Build `service` as `name` and return the image's id.

    `ensure_base` is awaited with every image that the Dockerfile starts from, `ensure_service` with every service
    whose image is a named context (it gives the image's id), `fetch` with every one of
    `cache_from`, which tells whether it is there. `arguments` are `--build-arg`; they win over the model's;
    `memory`, in bytes, limits each step. Raises `BuildError`.
    """
    recipe = service.build
    assert recipe is not None
    where = place(session.project, f"services.{service.name}.build")
    embedded = session.engine.kind == "embedded"
    left_out = NOT_PASSED_ON if embedded else (*ONLY_EMBEDDED, *NOT_PASSED_ON)
    ignored = [key for key in left_out if getattr(recipe, key)]
    if ignored:
        keys = ", ".join(f"build.{key}" for key in ignored)
        session.emit(
            Note(f"service {service.name}: {keys} is not passed on to the engine's builder", warning=True)
        )
    values = _arguments(session, recipe, arguments or {})
    packed = await contexts.pack(recipe, where)
    session.emit(Progress(name, "Building"))
    for reference in _bases(packed.dockerfile_text, values, recipe, where):
        await ensure_base(reference)
    named = {}
    if embedded:
        named = await buildcontexts.resolve(session, recipe, where, ensure_base, ensure_service)
    cache_from = [] if no_cache else await _cache_from(session, service, recipe, fetch)
    tags = [name, *recipe.tags]
    try:
        async with AsyncExitStack() as held:
            headers = _ca_headers(session, name)
            if embedded:
                headers |= await held.enter_async_context(buildinputs.headers(session, service, recipe))
                headers |= buildcontexts.header(named)
            async for message in session.engine.build(
                packed.stream(),
                tag=tags,
                dockerfile=packed.dockerfile,
                buildargs=values,
                target=recipe.target,
                labels={
                    **recipe.labels,
                    labels.PROJECT: session.project.name,
                    labels.SERVICE: service.name,
                    labels.VERSION: labels.COMPOSE_VERSION,
                    labels.BUILDER: "classic",
                },
                nocache=no_cache or recipe.no_cache,
                network=recipe.network,
                extra_hosts=[f"{host}:{ip}" for host, ips in recipe.extra_hosts.items() for ip in ips],
                cache_from=cache_from,
                shm_size=recipe.shm_size or None,
                platform=service.platform or (recipe.platforms[0] if len(recipe.platforms) == 1 else None),
                memory=memory,
                ulimits={name: (one.soft, one.hard) for name, one in recipe.ulimits.items()},
                headers=headers,
            ):
                for line in () if quiet else printed(str(message.get("stream", ""))):
                    session.emit(Output(name, line))
                    if (stage := _STEP.match(line)) is not None:
                        session.emit(Stage(name, int(stage[1]), int(stage[2]), stage[3]))
    except BuildFailed as error:
        step = _failed_step(packed, error.output)
        raise _failed(session, service, error.message + step, error.output, where) from error
    except ApiError as error:
        raise _failed(session, service, error.message, (), where) from error
    session.emit(Progress(name, "Built", "done"))
    return await image_id(session.engine, name)


async def _cache_from(
    session: Session, service: Service, recipe: Build, fetch: Callable[[str], Awaitable[bool]]
) -> list[str]:
    """Those of `cache_from` that are images and here: the classic builder uses no cache at all beside one that is
    missing. `type=registry,ref=...` is BuildKit's way to say the same.
    """
    found = []
    for entry in recipe.cache_from:
        fields = dict(part.partition("=")[::2] for part in entry.split(","))
        reference = fields.get("ref", "") if fields.get("type") == "registry" else entry
        if not reference or "=" in reference:
            session.emit(
                Note(
                    f"service {service.name}: build.cache_from {entry} is no image, and left out",
                    warning=True,
                )
            )
        elif await fetch(reference):
            found.append(reference)
    return found


def _arguments(session: Session, recipe: Build, more: Mapping[str, str | None]) -> dict[str, str]:
    values = proxy_arguments(session.environ)
    for key, value in {**recipe.args, **more}.items():
        known = value if value is not None else session.environ.get(key)
        if known is not None:
            values[key] = known
    return values


def _bases(text: str, values: Mapping[str, str], recipe: Build, where: str) -> list[str]:
    try:
        found = base_images(text, values, recipe.target)
    except DockerfileError as error:
        raise RunError(str(error), place=where) from error
    return [reference for reference in found if reference not in recipe.additional_contexts]


def _ca_headers(session: Session, name: str) -> dict[str, str]:
    if session.engine.kind != "embedded":
        return {}
    if not session.host_ca:
        return {"X-Stackwright-Host-CA": "off"}
    bundle = host_ca(session.environ)
    if bundle is None:
        return {}
    session.emit(
        Note(f"{name}: RUN steps trust the host's certificate authorities ({bundle}; --no-host-ca: off)")
    )
    return {"X-Stackwright-Host-CA": bundle}


def _failed_step(packed: contexts.Packed, output: tuple[str, ...]) -> str:
    """` (Dockerfile:12)`: where the last step that the build announced is written."""
    announced = [found for line in output if (found := _STEP.match(line))]
    if not announced:
        return ""
    text = " ".join(announced[-1][3].split())
    dockerfile = parse(packed.dockerfile_text)
    every = [one for stage in dockerfile.stages for one in (stage.start, *stage.instructions)]
    lines = [one.line for one in every if " ".join(one.text.split()) == text]
    return f" ({packed.shown}:{lines[-1]})" if lines else ""


def _failed(
    session: Session, service: Service, message: str, output: tuple[str, ...], where: str
) -> BuildError | Unsupported:
    text = "\n".join((message, *output))
    hint = ""
    if any(sign in text for sign in _CERTIFICATE_SIGNS):
        hint = "this network's proxy signs with its own certificate authority; " + (
            "leave out --no-host-ca"
            if session.engine.kind == "embedded"
            else "the embedded engine lends it to RUN steps (--engine embedded); with Docker, COPY your "
            "company's CA certificate into the image and run update-ca-certificates before downloading"
        )
    elif not service.image and not _IMAGE_NAME.fullmatch(
        name := labels.image_name(session.project.name, service)
    ):
        hint = f"project and service make the image's name, {name}, which cannot be one: choose another with name: or -p, or set image:"
    elif "registry" in message and session.engine.kind != "embedded":
        hint = "a base image could not be fetched"
    return BuildError(f"building service {service.name} failed: {message}", output, hint=hint, place=where)
