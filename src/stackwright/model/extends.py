"""Stage: services that extend others (Compose Specification, Extends).

Bases come first: a base that extends another is completed before it is used. A base in another file has
its paths taken relative to that file's folder; that file's ``include`` and validity do not matter.
"""

from __future__ import annotations

import os.path

from stackwright.model.canonical import canonical
from stackwright.model.interpolate import interpolate
from stackwright.model.marks import NOWHERE, Map, copied, detoured
from stackwright.model.merge import merge, merge_service
from stackwright.model.paths import Folder, resolve_paths
from stackwright.model.read.document import read_documents
from stackwright.model.reset import apply_resets
from stackwright.model.sources import NotFetchedError, UnreadableError
from stackwright.model.unique import unique

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stackwright.model.marks import Mark
    from stackwright.model.stages import Context

    Resets = set[tuple[str, ...]]
    Loaded = tuple[Map, Resets]


class _UnusableError(Exception):
    """The extension cannot be carried out; what is wrong has been reported."""


def extend(model: Map, resets: Resets, file: str, folder: str, context: Context) -> Map:
    """Complete every service that extends another, in place.

    Args:
        model: one interpolated document.
        resets: its ``!reset`` and ``!override`` paths, which also cut what a base gives.
        file: the document's file.
        folder: what the paths in ``extends.file`` are relative to.
        context: settings and reports of the load.
    """
    services = model.get("services")
    if type(services) is Map:
        extension = _Extension(folder, context)
        for name in list(services):
            try:
                services[name] = extension.complete(name, services, file, resets, ())
            except _UnusableError:
                service = services[name]
                service.drop("extends")
                service.broken = context.report.incomplete = True
    return model


class _Extension:
    def __init__(self, folder: str, context: Context) -> None:
        self.folder = folder
        self.context = context
        self.files: dict[str, Loaded] = {}

    def complete(
        self, name: str, services: Map, file: str, resets: Resets, chain: tuple[tuple[str, str], ...]
    ) -> object:
        """A service with what it extends merged beneath it; services that extend nothing as they are."""
        service = services[name]
        if type(service) is not Map or "extends" not in service:
            return service
        extends = service["extends"]
        mark = service.mark_at("extends")
        here = (file, name)
        if here in chain:
            raise self.cycle((*chain[chain.index(here) :], here), mark)
        if type(extends) is str:
            base_name, base_file = extends, None
        elif type(extends) is Map and type(extends.get("service")) is str:
            base_name, base_file = extends["service"], extends.get("file")
        else:
            raise self.error("extends", f'services.{name}.extends needs "service"', mark)
        base_services, base_path, base_resets = services, file, resets
        if base_file is not None:
            file_mark = extends.mark_at("file")
            base_path = self.locate(str(base_file), file_mark)
            base_services, base_resets = self.load(base_path, str(base_file), base_name, name, file_mark)
        if base_name not in base_services:
            at = extends.mark_at("service") if type(extends) is Map else mark
            where = f" in {base_path}" if base_file is not None else ""
            message = f'service "{name}" extends "{base_name}", which is not defined{where}'
            raise self.error("extends", message, at, near=base_name, among=base_services)
        if base_path == file and base_name == name:
            raise self.cycle((here, here), mark)
        base = self.complete(base_name, base_services, base_path, base_resets, (*chain, here))
        if base is None:
            return service
        if type(base) is not Map:
            raise self.error("extends", f'service "{base_name}" is not a mapping', mark)
        services_of_base = base_services
        services_of_base[base_name] = base
        under = detoured(base, f"extended by service {name}", mark) if self.context.traced else copied(base)
        apply_resets({"services": {name: under}}, resets)
        merged = merge_service(under, service, self.context.report, name)
        merged.mark = service.mark
        merged.broken = service.broken or base.broken
        merged.drop("extends")
        services[name] = merged
        return merged

    def error(
        self, code: str, message: str, mark: Mark, near: str = "", among: object = ()
    ) -> _UnusableError:
        self.context.report.error(code, message, mark, near=near, among=list(among))  # type: ignore[call-overload]
        return _UnusableError()

    def cycle(self, chain: tuple[tuple[str, str], ...], mark: Mark) -> _UnusableError:
        steps = " → ".join(f"{service} ({os.path.basename(file)})" for file, service in chain)
        return self.error("extends-cycle", f"services extend each other in a circle: {steps}", mark)

    def locate(self, path: str, mark: Mark) -> str:
        """The absolute path of a base's file."""
        try:
            return self.context.local(path)
        except NotFetchedError:
            raise _UnusableError from None
        except UnreadableError as error:
            raise self.error("remote", str(error), mark) from None

    def load(self, path: str, shown: str, base: str, name: str, mark: Mark) -> Loaded:
        """The services of a base's file, with paths relative to the project's folder."""
        if path not in self.files:
            self.files[path] = self.read(path, mark)
        model, resets = self.files[path]
        services = model.get("services")
        if type(services) is not Map:
            message = f'service "{name}" extends "{base}" of {shown}, which defines no services'
            raise self.error("extends", message, mark)
        return services, resets

    def read(self, path: str, mark: Mark) -> Loaded:
        context = self.context
        try:
            number, text = context.read(path)
        except UnreadableError as error:
            raise self.error("file", str(error), mark) from None
        model = Map(NOWHERE)
        resets: Resets = set()
        problems = len(context.report.problems)
        for document in read_documents(text, number, context.report):
            if type(document.value) is not Map:
                continue
            if context.settings.interpolate:
                interpolate(document.value, context.environment, context.report)
            apply_resets(model, document.resets)
            model = merge(model, document.value, context.report)
            resets |= document.resets
        if len(context.report.problems) > problems:
            raise _UnusableError
        unique(model)
        canonical(model, context.report, lenient=not context.settings.interpolate)
        unique(model)
        folder = os.path.relpath(os.path.dirname(path), context.working_dir)
        return resolve_paths(model, Folder(folder, context.home), context.report), resets
