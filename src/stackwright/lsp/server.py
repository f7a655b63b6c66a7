"""The protocol: pygls on one side, the workbench on the other (Language Server Protocol 3.17)."""

from __future__ import annotations

import os
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from stackwright import __version__
from stackwright.checks.finding import Finding, Place, Severity
from stackwright.lsp import answers
from stackwright.lsp.cursor import Cursor, cursor_at
from stackwright.lsp.workbench import Workbench
from stackwright.model.errors import token_length

_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.ADVICE: types.DiagnosticSeverity.Information,
}
_COMPLETIONS = {
    "key": types.CompletionItemKind.Property,
    "variable": types.CompletionItemKind.Variable,
    "value": types.CompletionItemKind.EnumMember,
}


class StackwrightServer(LanguageServer):
    """One editor's session."""

    def __init__(self) -> None:
        super().__init__("stackwright", __version__)
        self.bench = Workbench(dict(os.environ))
        self.checked: dict[str, int] = {}

    def look(self, uri: str) -> None:
        """Check the project of a document and show what was found."""
        path = path_of(uri)
        for file, findings in self.bench.check(path).items():
            raw = self.bench.raw(file)
            lines = raw.lines if raw else []
            diagnostics = [_diagnostic(finding, lines) for finding in findings]
            params = types.PublishDiagnosticsParams(
                uri=uri if file == path else from_fs_path(file) or file, diagnostics=diagnostics
            )
            self.text_document_publish_diagnostics(params)

    def cursor(
        self, params: types.HoverParams | types.DefinitionParams | types.CompletionParams
    ) -> tuple[Cursor, str, str]:
        """The cursor, the document's path, and the line's text up to the cursor."""
        path = path_of(params.text_document.uri)
        raw = self.bench.raw(path)
        lines = raw.lines if raw else []
        line = params.position.line
        text = lines[line] if line < len(lines) else ""
        column = _column(text, params.position.character)
        return cursor_at(lines, line, column), path, text[:column]


def path_of(uri: str) -> str:
    """The absolute path of a document; documents without a file keep their address as a name."""
    return to_fs_path(uri) or uri


def _column(text: str, units: int) -> int:
    """Characters for UTF-16 units, in which editors count."""
    return len(text.encode("utf-16-le")[: units * 2].decode("utf-16-le", "ignore"))


def _units(text: str, column: int) -> int:
    return len(text[:column].encode("utf-16-le")) // 2


def _diagnostic(finding: Finding, lines: list[str]) -> types.Diagnostic:
    line, column = max(0, finding.place.line - 1), max(0, finding.place.column - 1)
    text = lines[line] if line < len(lines) else ""
    end = column + token_length(text, column)
    where = f" (in {', '.join(finding.environments)})" if finding.environments else ""
    message = finding.message + where + (f"\n{finding.mend}" if finding.mend else "")
    return types.Diagnostic(
        range=types.Range(
            types.Position(line, _units(text, column)), types.Position(line, _units(text, end))
        ),
        message=message,
        severity=_SEVERITIES[finding.severity],
        code=finding.code,
        source="stackwright",
        related_information=[
            types.DiagnosticRelatedInformation(location=_location(place, []), message=word)
            for word, place in finding.related
            if place.line
        ],
    )


def _location(place: Place, lines: list[str]) -> types.Location:
    line, column = max(0, place.line - 1), max(0, place.column - 1)
    start = types.Position(line, column)
    return types.Location(uri=from_fs_path(place.file) or place.file, range=types.Range(start, start))


def make_server() -> StackwrightServer:
    """A server with all of its features, ready to be started."""
    server = StackwrightServer()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.bench.texts[path_of(params.text_document.uri)] = params.text_document.text.encode()
        server.look(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        document = server.workspace.get_text_document(params.text_document.uri)
        server.bench.texts[path_of(params.text_document.uri)] = document.source.encode()
        server.look(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.bench.forget()
        server.look(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.bench.texts.pop(path_of(params.text_document.uri), None)
        nothing = types.PublishDiagnosticsParams(uri=params.text_document.uri, diagnostics=[])
        server.text_document_publish_diagnostics(nothing)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        cursor, path, _ = server.cursor(params)
        subject, raw = server.bench.subject(path), server.bench.raw(path)
        text = answers.hover(cursor, subject, raw) if subject and raw else ""
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text)) if text else None

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def definition(params: types.DefinitionParams) -> types.Location | None:
        cursor, path, _ = server.cursor(params)
        subject, raw = server.bench.subject(path), server.bench.raw(path)
        place = answers.definition(cursor, subject, raw) if subject and raw else None
        return _location(place, []) if place and place.file else None

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=["{", " ", "-"])
    )
    def completion(params: types.CompletionParams) -> list[types.CompletionItem]:
        cursor, path, text = server.cursor(params)
        return [
            types.CompletionItem(
                label=one.text,
                kind=_COMPLETIONS.get(one.kind, types.CompletionItemKind.Reference),
                detail=one.detail or None,
                documentation=one.documentation or None,
            )
            for one in answers.complete(cursor, server.bench.subject(path), text)
        ]

    return server


def serve(stdin: Any = None, stdout: Any = None) -> None:
    """Speak over standard input and output until the editor ends the session."""
    make_server().start_io(stdin, stdout)
