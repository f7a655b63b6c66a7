"""`stackwright lsp`: the language server, for editors."""

from __future__ import annotations

import click


@click.command("lsp")
@click.option("--stdio", is_flag=True, help="Speak over standard input and output (the only way there is)")
def lsp(stdio: bool) -> int:
    """Start the language server: diagnostics, hover, go to definition and completion in an editor."""
    try:
        from stackwright.lsp.server import serve
    except ModuleNotFoundError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        raise click.ClickException(
            'the language server needs pygls: pip install "stackwright[lsp]"'
        ) from None
    serve()
    return 0
