"""Small values to decide about, and a git repository in the shape of the manifest `tasker`."""

import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from semver import Version

from tasker_release_pipeline.release.artifact import Artifact, ReleaseManifest
from tasker_release_pipeline.release.bases import BEGINNING, Base, BaseKind
from tasker_release_pipeline.release.changes import classify
from tasker_release_pipeline.release.decisions import Decision, Facts, Published, decide
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import Manifest, load
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import Plan, make_plan
from tasker_release_pipeline.release.settings import Mode, Settings

TASKER = load("tasker")
LAST_TAG = Base(kind=BaseKind.RELEASE_TAG, ref="v0.1.8", commit="8" * 40)
NOTHING: tuple[Version, ...] = ()
CRATES = tuple(package.key for package in TASKER.crates)

# One changed path of each package.
PGMQ, SHARED, WORKER = "tasker-pgmq/src/lib.rs", "tasker-shared/src/lib.rs", "tasker-worker/src/lib.rs"
CLIENT, ORCHESTRATION, CLI = "tasker-client/src/lib.rs", "tasker-orchestration/src/lib.rs", "tasker-cli/src/main.rs"
RUBY, PYTHON, TYPESCRIPT = "workers/ruby/lib/a.rb", "workers/python/src/lib.rs", "workers/typescript/src/a.ts"


def version(text: str) -> Version:
    return Version.parse(text)


def versions(text: str) -> tuple[Version, ...]:
    """`"0.1.0 0.1.1"`."""
    return tuple(map(Version.parse, text.split()))


def published(
    component: str, text: str, *, manifest: Manifest = TASKER, **others: str | None
) -> dict[str, tuple[Version, ...] | None]:
    """The versions of each package of a component; `others` by the package's name with underscores, None: unknown."""
    held: dict[str, tuple[Version, ...] | None] = {p.key: versions(text) for p in manifest.of_component(component)}
    for name, those in others.items():
        (key,) = [key for key in held if key.endswith("/" + name.replace("_", "-"))]
        held[key] = None if those is None else versions(those)
    return held


def facts(
    component: str,
    *,
    tree: str = "0.1.8",
    at_base: str | None = "0.1.8",
    held: Mapping[str, tuple[Version, ...] | None] | str = "0.1.7 0.1.8",
    changed: Iterable[str] = (),
    base: Base = LAST_TAG,
    manifest: Manifest = TASKER,
) -> Facts:
    """What is known of a component that, unless told otherwise, is published at its tree's version and unchanged."""
    packages = published(component, held, manifest=manifest) if isinstance(held, str) else held
    return Facts(
        tree=version(tree),
        base=base,
        at_base=None if at_base is None else version(at_base),
        published=Published(packages=packages),
        changes=classify(changed, manifest),
    )


def all_facts(*, manifest: Manifest = TASKER, changed: Iterable[str] = (), **components: Facts) -> dict[str, Facts]:
    """Those of every component; the ones not given are published at 0.1.8, and see the changes `changed`."""
    paths = tuple(changed)
    return {name: components.get(name) or facts(name, changed=paths, manifest=manifest) for name in manifest.components}


def decided(
    *changed: str, release: str = "release-20260301", manifest: Manifest = TASKER, **components: Facts
) -> dict[str, Decision]:
    """The decisions on `all_facts`."""
    return decide(manifest, all_facts(manifest=manifest, changed=changed, **components), release)


def released(decisions: Mapping[str, Decision]) -> dict[str, str]:
    """The components that are published, with their versions."""
    return {name: decision.version for name, decision in decisions.items() if decision.publish}


def planned(
    *changed: str,
    release: str = "release-20260301",
    dry_run: bool = True,
    unreachable: Mapping[str, str] | None = None,
    manifest: Manifest = TASKER,
    **components: Facts,
) -> Plan:
    """The plan on `all_facts`."""
    return make_plan(
        manifest,
        Settings(dry_run=dry_run),
        release=release,
        commit="c" * 40,
        facts=all_facts(manifest=manifest, changed=changed, **components),
        unreachable=unreachable or {},
    )


def artifact(
    package: str = "rubygems/tasker-rb", file: str = "tasker-rb-0.1.9.gem", sha256: str = "a" * 64
) -> Artifact:
    return Artifact(package=package, file=file, version="0.1.9", size=3, sha256=sha256, integrity="sha512-xxx")


def files(*artifacts: Artifact, release: str = "v0.1.9") -> ReleaseManifest:
    """A release manifest."""
    return ReleaseManifest(release=release, plan="p" * 64, commit="c" * 40, artifacts=artifacts or (artifact(),))


def outcome(package: str, kind: OutcomeKind, *, after: int = 0, **rest: Any) -> Outcome:
    """An outcome, `after` so many seconds."""
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=after)
    row = {"version": "0.1.9", "registry": package.split("/", maxsplit=1)[0], "mode": Mode.LIVE, "run": "r1", **rest}
    return Outcome(package=package, kind=kind, at=at, **row)


def begun(component: str, tree: str, changed: Iterable[str], **more: Any) -> Facts:
    """A component of which nothing was ever published."""
    return facts(component, tree=tree, at_base=None, base=BEGINNING, held="", changed=changed, **more)


class Repository:
    """A git repository. Its commits are empty but for the files given."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, *tags: str, files: Mapping[str, str] | None = None) -> str:
        """Commit, tag, and give the commit's hash."""
        for path, text in (files or {}).items():
            (self.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.path / path).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        for tag in tags:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    @property
    def checkout(self) -> Checkout:
        return Checkout.at(self.path)


def workspace(
    core: str = "0.1.8", ruby: str = "0.1.8", python: str = "0.1.8", typescript: str = "0.1.8"
) -> dict[str, str]:
    """The files of the manifest `tasker` that carry versions, and a source file of each package."""
    tree = {
        "VERSION": f"{core}\n",
        "Cargo.toml": f'[package]\nname = "tasker-core"\nversion = "{core}"\n',
        "workers/rust/Cargo.toml": f'[package]\nname = "tasker-worker-rust"\nversion = "{core}"\n',
        "workers/ruby/lib/tasker_core/version.rb": (
            f'module TaskerCore\n  VERSION = "{ruby}"\n  RUST_CORE_VERSION = "{core}"\nend\n'
        ),
        "workers/ruby/ext/tasker_core/Cargo.toml": _crate("tasker-rb", ruby, core),
        "workers/ruby/Gemfile.lock": f"PATH\n  remote: .\n  specs:\n    tasker-rb ({ruby})\n",
        "workers/python/pyproject.toml": f'[project]\nname = "tasker-py"\nversion = "{python}"\n',
        "workers/python/Cargo.toml": _crate("tasker-py", python, core),
        "workers/python/uv.lock": (
            f'[[package]]\nname = "tasker-py"\nversion = "{python}"\nsource = {{ editable = "." }}\n'
        ),
        "workers/typescript/package.json": f'{{"version": "{typescript}"}}\n',
    }
    for package in TASKER.crates:
        tree[f"{package.folder}/Cargo.toml"] = f'[package]\nname = "{package.name}"\nversion = "{core}"\n'
    return tree | dict.fromkeys((PGMQ, SHARED, WORKER, CLIENT, ORCHESTRATION, CLI, RUBY, PYTHON, TYPESCRIPT), "1\n")


def _crate(name: str, own: str, core: str) -> str:
    return f'[package]\nname = "{name}"\nversion = "{own}"\n[dependencies]\ntasker-worker = "={core}"\n'
