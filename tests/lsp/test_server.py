"""The language server, started as an editor starts it, spoken to by pytest-lsp's client over standard input."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient

BASE = """x-logging: &logging
  driver: local
services:
  web:
    image: example/web:1.4
    logging: *logging
    depends_on:
      - api
    networks:
      - front
    environment:
      LOG_LEVEL: ${LOG_LEVEL:-info}
      TOKEN: ${API_TOKEN}
  api:
    image: example/api:1.4
    networks: [front]
  worker:
    extends:
      service: api
networks:
  front:
"""


@pytest_lsp.fixture(
    config=ClientServerConfig(server_command=[sys.executable, "-m", "stackwright.cli.main", "lsp", "--stdio"])
)
async def client(lsp_client: LanguageClient, tmp_path: Path) -> AsyncIterator[None]:
    (tmp_path / "compose.yaml").write_text(BASE)
    (tmp_path / ".env").write_text("API_TOKEN=abc\n")
    await lsp_client.initialize_session(
        types.InitializeParams(capabilities=types.ClientCapabilities(), root_uri=tmp_path.as_uri())
    )
    yield
    await lsp_client.shutdown_session()


async def published(client: LanguageClient, path: Path) -> list[types.Diagnostic]:
    """The next diagnostics of a file; other files of the project may get theirs before it."""
    async with asyncio.timeout(30):
        while path.as_uri() not in client.diagnostics:
            await asyncio.sleep(0.01)
    return list(client.diagnostics[path.as_uri()])


async def open_file(client: LanguageClient, path: Path, text: str | None = None) -> list[types.Diagnostic]:
    given = path.read_text() if text is None else text
    document = types.TextDocumentItem(uri=path.as_uri(), language_id="yaml", version=1, text=given)
    client.diagnostics.pop(path.as_uri(), None)
    client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
    return await published(client, path)


async def change(client: LanguageClient, path: Path, text: str, version: int) -> list[types.Diagnostic]:
    client.diagnostics.pop(path.as_uri(), None)
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            text_document=types.VersionedTextDocumentIdentifier(uri=path.as_uri(), version=version),
            content_changes=[types.TextDocumentContentChangeWholeDocument(text=text)],
        )
    )
    return await published(client, path)


def at(text: str, needle: str, offset: int = 0) -> types.Position:
    before = text[: text.index(needle) + offset]
    return types.Position(before.count("\n"), len(before) - (before.rfind("\n") + 1))


def here(path: Path) -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(uri=path.as_uri())


@pytest.mark.asyncio
async def test_diagnostics_come_and_go_as_one_types(client: LanguageClient, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    assert await open_file(client, path) == []
    broken = BASE.replace("- api", "- apo")
    (found,) = await change(client, path, broken, 2)
    assert found.code == "undefined-service"
    assert found.range.start == at(broken, "apo")
    assert found.severity is types.DiagnosticSeverity.Error
    assert 'did you mean "api"' in found.message
    assert await change(client, path, BASE, 3) == []


@pytest.mark.asyncio
async def test_a_text_that_is_no_yaml_for_the_moment_is_one_diagnostic(
    client: LanguageClient, tmp_path: Path
) -> None:
    path = tmp_path / "compose.yaml"
    (found,) = await open_file(client, path, BASE + "volumes: [\n")
    assert str(found.code).startswith("yaml")


@pytest.mark.asyncio
async def test_hover_shows_value_and_origin(client: LanguageClient, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    await open_file(client, path)
    for needle, offset, expected in (
        ("LOG_LEVEL:", 2, "`LOG_LEVEL` = `info`"),
        ("${API_TOKEN}", 4, "from env file"),
        ("- api", 3, "service **api**"),
    ):
        params = types.HoverParams(text_document=here(path), position=at(BASE, needle, offset))
        answer = await client.text_document_hover_async(params)
        assert answer is not None
        assert isinstance(answer.contents, types.MarkupContent)
        assert expected in answer.contents.value
        assert "abc" not in answer.contents.value  # a token is not shown


@pytest.mark.asyncio
async def test_definitions_of_service_network_anchor_extends_and_variable(
    client: LanguageClient, tmp_path: Path
) -> None:
    path = tmp_path / "compose.yaml"
    await open_file(client, path)
    for needle, offset, target, file in (
        ("- api", 3, at(BASE, "  api:", 2), path),
        ("- front", 3, at(BASE, "\n  front:", 3), path),
        ("*logging", 2, at(BASE, "&logging"), path),
        ("service: api", 10, at(BASE, "  api:", 2), path),
        ("${API_TOKEN}", 4, types.Position(0, 0), tmp_path / ".env"),
    ):
        params = types.DefinitionParams(text_document=here(path), position=at(BASE, needle, offset))
        found = await client.text_document_definition_async(params)
        assert isinstance(found, types.Location), needle
        assert (found.uri, found.range.start) == (file.as_uri(), target), needle


@pytest.mark.asyncio
async def test_completion_of_names_variables_and_keys(client: LanguageClient, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    await open_file(client, path)
    for text, marker, expected, never in (
        (BASE.replace("- api", "- |"), "- |", {"api", "worker"}, {"web"}),
        (BASE.replace("- front", "- |"), "- |", {"front"}, {"default"}),
        (BASE.replace("${API_TOKEN}", "${|"), "${|", {"API_TOKEN"}, set()),
        (
            BASE.replace("    networks: [front]\n", "    heal|\n"),
            "heal|",
            {"healthcheck", "ports"},
            {"services"},
        ),
        (BASE + "|", "front:\n|", {"volumes", "secrets"}, {"image"}),
    ):
        await change(client, path, text.replace("|", ""), 2)
        position = at(text, marker, marker.index("|"))
        answer = await client.text_document_completion_async(
            types.CompletionParams(text_document=here(path), position=position)
        )
        items = answer.items if isinstance(answer, types.CompletionList) else answer or []
        labels = {item.label for item in items}
        assert expected <= labels, marker
        assert not never & labels, marker


@pytest.mark.asyncio
async def test_an_overlay_is_checked_with_its_base(client: LanguageClient, tmp_path: Path) -> None:
    overlay = tmp_path / "compose.prod.yaml"
    overlay.write_text("services:\n  web:\n    environment:\n      NODE_ENV: development\n")
    found = await open_file(client, overlay)
    assert "SW609" in {item.code for item in found}
    assert not any("neither an image" in item.message for item in found)


@pytest.mark.asyncio
async def test_an_address_is_not_asked_while_one_types(client: LanguageClient, tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(64))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        include = f"include:\n  - oci://{address}/shop:1\n  - git://{address}/shop.git\n"
        extended = BASE.replace("service: api", f"service: api\n      file: oci://{address}/base")
        assert await open_file(client, tmp_path / "compose.yaml", include + extended) == []
    assert asked == []


BROKEN = (
    "", "\n", "\x00", "services:", "services:\n  ", "services:\n  web:\n    im", "a: [", "a: {b: ", "'", '"',
    "&a *a", "- ", "? ", "---\n---\n", "\ufeffservices: {}", "services: [1, 2]", "services: null",
    "services:\r\n  web:\r\n    depends_on:\r\n      - ", "include: [nope.yaml]", "x: " + "[" * 300,
    "services: {a: {extends: {file: nope.yaml, service: x}}}", "services: {a: {image: '${'}}", "\u2028", "é: ü",
    "services:\n\tweb:\n",
)  # fmt: skip
"""What a file looks like for a moment while somebody types, and what it never should."""


@pytest.mark.asyncio
async def test_broken_documents_are_answered_and_leave_the_server_well(
    client: LanguageClient, tmp_path: Path
) -> None:
    path = tmp_path / "compose.yaml"
    await open_file(client, path)
    document = types.TextDocumentIdentifier(path.as_uri())
    for number, text in enumerate((*BROKEN, BASE.replace("- api", "- apo")), start=2):
        whole = types.TextDocumentContentChangeWholeDocument(text)
        version = types.VersionedTextDocumentIdentifier(number, path.as_uri())
        client.text_document_did_change(types.DidChangeTextDocumentParams(version, [whole]))
        lines = text.split("\n")
        for place in (types.Position(len(lines) - 1, len(lines[-1])), types.Position(999, 999)):
            async with asyncio.timeout(30):
                await client.text_document_hover_async(types.HoverParams(document, place))
                await client.text_document_completion_async(types.CompletionParams(document, place))
                await client.text_document_definition_async(types.DefinitionParams(document, place))
    async with asyncio.timeout(30):  # what was said of earlier texts may still arrive
        while not any("apo" in one.message for one in client.diagnostics.get(path.as_uri(), ())):
            await asyncio.sleep(0.01)
