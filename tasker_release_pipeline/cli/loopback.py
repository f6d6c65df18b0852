"""`registries` and `faults`: the four registries on loopback, and bad days for them."""

import signal
import threading
from pathlib import Path

import click

from tasker_release_pipeline.cli.command import ReleaseCommand

_ROOT = Path(".tasker-release/registries")


@click.command(cls=ReleaseCommand)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=_ROOT,
    show_default=True,
    help="The folder that holds what is published, made if need be. A rehearsal's is STORE/RELEASE/registries.",
)
@click.option(
    "--manifest",
    default="tasker",
    show_default=True,
    envvar="TASKER_RELEASE_MANIFEST",
    show_envvar=True,
    help="A packaged manifest's name, or a path to one.",
)
@click.option("--port", default=0, show_default=True, help="The port on 127.0.0.1; 0 takes a free one.")
@click.option("--offline", is_flag=True, help="Pass nothing on to the public registries.")
def registries(root: Path, manifest: str, port: int, offline: bool) -> None:
    """Serve the four registries on loopback, until interrupted.

    For trying things out, or for looking at what a rehearsal published. Prints their addresses, and the token that
    they take. What they do not hold they pass on to the public registries, but never a name that the manifest has.

    \b
    Example:
      tasker-release registries --root .tasker-release/store/rehearsal-20260301-0300/registries
    """
    # Here, so that `--help` does not wait for a web server to be imported.
    from tasker_release_pipeline.loopback.server import serve  # noqa: PLC0415
    from tasker_release_pipeline.registries.endpoints import LIVE  # noqa: PLC0415
    from tasker_release_pipeline.release.endpoints import RegistryName  # noqa: PLC0415
    from tasker_release_pipeline.release.manifest import load  # noqa: PLC0415

    packages = load(manifest)
    reserved = {name: frozenset(p.name for p in packages.of_registry(name)) for name in RegistryName}
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serve(root.absolute(), reserved=reserved, upstream=None if offline else LIVE, port=port, log=True) as served:
        for name, url in served.endpoints.model_dump().items():
            click.echo(f"{name} {url}")
        click.echo(f"token {served.token}")
        click.echo("Serving until interrupted (Ctrl-C).")
        ended.wait()


@click.command(cls=ReleaseCommand)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=_ROOT,
    show_default=True,
    help="The folder of the loopback registries; a rehearsal's is STORE/RELEASE/registries.",
)
@click.argument("orders")
def faults(root: Path, orders: str) -> None:
    """Order faults in loopback registries, to rehearse a bad day.

    ORDERS is like "npm:upload:drop-after; crates_io:upload:500x2; pypi:upload:429:retry-after=3". docs/faults.md has
    all the words. `make rehearse FAULTS="..."` orders them for one rehearsal.

    \b
    Example:
      tasker-release faults "npm:upload:drop-after"
    """
    from tasker_release_pipeline.loopback.fault_words import parse_faults  # noqa: PLC0415
    from tasker_release_pipeline.loopback.orders import order  # noqa: PLC0415

    parsed = parse_faults(orders)
    for fault in parsed:
        order(root.absolute(), fault)
    click.echo(f"{len(parsed)} ordered in {root}")
