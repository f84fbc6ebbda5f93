"""The command `skillpack hub`: serve, detach, status, stop, fsck."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

import click

from . import server

DAMAGED, CANNOT = 1, 3


def default_root() -> Path:
    chosen = os.environ.get("SKILLPACK_HUB_ROOT")
    if chosen:
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "skillpack" / "hub"


root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_root,
    show_default="$SKILLPACK_HUB_ROOT or the user's data folder",
    help="Folder that holds everything the Hub keeps.",
)


def _announce(address: server.Address) -> None:
    click.echo(address.exports())


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@click.group(invoke_without_command=True)
@root_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port to bind.")
@click.option("--host", default=server.LOCAL, show_default=True, help="Address to bind.")
@click.option("--user", default="me", show_default=True, help="Name of the user that the token belongs to.")
@click.option("--token", envvar="SKILLPACK_HUB_TOKEN", default=None, help="Token to accept; made up when not given.")
@click.option("--detach", is_flag=True, help="Serve in the background and return.")
@click.option("--isolated", is_flag=True, help="Jobs run `uv run` with the real uv, which may download packages.")
@click.option("--run-spaces", is_flag=True, help="Spaces are started as processes of this machine.")
@click.option(
    "--rate-limit", type=click.IntRange(0), default=0, show_default="none", help="Requests a minute, then 429."
)
@click.option("--i-know", is_flag=True, help="Allow an address that other machines can reach.")
@click.pass_context
def hub(
    context: click.Context,
    root: Path,
    port: int,
    host: str,
    user: str,
    token: str | None,
    detach: bool,
    isolated: bool,
    run_spaces: bool,
    rate_limit: int,
    i_know: bool,
) -> None:
    """Serve a Hugging Face Hub of your own, on this machine, with no account.

    Prints the two lines that point the unmodified clients at it. It is not the real service and never calls it.

    \b
    Examples:
      skillpack hub
      eval "$(skillpack hub --detach)"

    \b
    Exit codes: 0 stopped, 1 fsck found damage, 2 usage, 3 could not serve.
    """
    if context.invoked_subcommand is not None:
        context.obj = root
        return
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise click.UsageError(f"{', '.join(missing)} not installed; run: pip install 'skillpack[hub]'")
    if not is_loopback(host) and not i_know:
        raise click.UsageError(
            f"{host} can be reached from other machines, and jobs run commands on this one. "
            "Use 127.0.0.1, or repeat with --i-know."
        )
    if detach and host != server.LOCAL:
        raise click.UsageError("--detach serves 127.0.0.1 only; serve another address in the foreground")
    try:
        if detach:
            address = server.running(root)
            if address is not None and address.serves(user, port, token):  # `eval` in a second shell gets the same
                click.echo(f"hub: runs already, at {address.url}", err=True)
            else:
                address, _ = server.spawn(
                    root, user, port, token, isolated=isolated, rate_limit=rate_limit, run_spaces=run_spaces
                )
            click.echo(address.exports())
            return
        server.serve(root, user, port, token, host, _announce, isolated, rate_limit, run_spaces)
    except (server.HubInUse, server.HubNotStarted, OSError) as error:
        click.echo(f"hub: {error}", err=True)
        sys.exit(CANNOT)
    except KeyboardInterrupt:
        sys.exit(130)


def _root(context: click.Context, root: Path | None) -> Path:
    parent: Path = context.obj
    return root if root is not None else parent


inner_root = click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=None, help="As above.")


@hub.command()
@inner_root
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(context: click.Context, root: Path | None, as_json: bool) -> None:
    """Say whether the Hub runs, and where. Exit code 3 when it does not."""
    folder = _root(context, root)
    address = server.running(folder)
    if as_json:
        about = {"running": address is not None, "root": str(folder)}
        if address is not None:
            about.update(url=address.url, user=address.user, pid=address.pid)
        click.echo(json.dumps(about))
    elif address is None:
        click.echo(f"not running ({folder})")
    else:
        click.echo(f"running at {address.url} as {address.user}, process {address.pid} ({folder})")
    sys.exit(0 if address is not None else CANNOT)


@hub.command()
@inner_root
@click.pass_context
def page(context: click.Context, root: Path | None) -> None:
    """Print a link that signs a browser in to the web pages; good for ten minutes. Exit code 3 when nothing runs."""
    from .session import login_url
    from .state import Hub

    folder = _root(context, root)
    address = server.running(folder)
    if address is None:
        click.echo(f"hub: not running ({folder})", err=True)
        sys.exit(CANNOT)
    opened = Hub(folder)
    opened.url = address.url
    click.echo(login_url(opened, address.user))


@hub.command()
@inner_root
@click.pass_context
def stop(context: click.Context, root: Path | None) -> None:
    """Stop the Hub; content stays."""
    stopped = server.stop(_root(context, root))
    if stopped:
        click.echo("stopped; a shell that was pointed at it goes back by: unset HF_ENDPOINT HF_TOKEN")
    else:
        click.echo("not running")


@hub.command()
@inner_root
@click.option("--quick", is_flag=True, help="Look whether files are there; do not read them.")
@click.option("--delete-orphans", is_flag=True, help="Remove what is in no commit or bucket. The Hub must be stopped.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def fsck(context: click.Context, root: Path | None, quick: bool, delete_orphans: bool, as_json: bool) -> None:
    """Check that everything the Hub lists is there and whole.

    Exit codes: 0 whole (notes on waste do not count), 1 something is missing or damaged, 3 could not check.
    """
    from .fsck import Check, delete_strays
    from .state import Hub

    folder = _root(context, root)
    if not (folder / "hub.sqlite3").is_file():
        click.echo(f"hub: no Hub in {folder}", err=True)
        sys.exit(CANNOT)
    held = server.lock(folder)
    if held is None and delete_orphans:
        click.echo("hub: stop the Hub before deleting orphans", err=True)
        sys.exit(CANNOT)
    started = time.monotonic()
    checked = Hub(folder)
    findings = Check(checked, quick).run()
    if held is None:  # what is being uploaded now looks like waste
        findings = [finding for finding in findings if finding.severity == "error"]
    removed = delete_strays(checked, findings) if delete_orphans else 0
    damaged = sum(finding.severity == "error" for finding in findings)
    if as_json:
        click.echo(json.dumps({"errors": damaged, "removed": removed, "findings": [vars(f) for f in findings]}))
    else:
        for finding in findings:
            click.echo(str(finding))
        seconds = time.monotonic() - started
        click.echo(f"{damaged} errors, {len(findings) - damaged} notes, {removed} removed in {seconds:.1f} s")
    if held is not None:
        held.close()
    sys.exit(DAMAGED if damaged else 0)
