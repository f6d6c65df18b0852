"""No secret comes to rest anywhere, and none is in a command line: not of a run that passes, nor of one that fails."""

import base64
import gzip
import io
import shutil
import sqlite3
import sys
import tarfile
import zipfile
from pathlib import Path
from uuid import uuid4

import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, withdraw
from tasker_release_pipeline.registries.credentials import ALSO, VARIABLES
from tasker_release_pipeline.toolchains.tools import search_path
from tests.pipeline.conftest import FIRST, ROOT, Pipeline, change
from tests.pipeline.secrets_search import TOKENS, Seen, forms, found_in, watching

pytestmark = pytest.mark.toolchain
OTHERS = (
    *("GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AWS_SECRET_ACCESS_KEY", "TWINE_PASSWORD"),
    *("NODE_AUTH_TOKEN", "CARGO_REGISTRIES_CRATES_IO_TOKEN", "RUBYGEMS_API_KEY", "UV_PUBLISH_PASSWORD"),
)


@pytest.fixture
def canary() -> str:
    """What all the planted secrets have in common."""
    return f"canary{uuid4().hex}"


def planted(canary: str) -> dict[str, str]:
    """A secret in each variable that may hold one, with what changes when it is quoted for an address."""
    return {name: f"{name[:3]}/+ =&{canary}" for name in (*VARIABLES.values(), *ALSO.values(), *OTHERS)}


TELLING = """\
#!/bin/sh
case " $* " in
*" publish "* | *" push "*)
  token=$CARGO_REGISTRIES_REHEARSAL_TOKEN$GEM_HOST_API_KEY$UV_PUBLISH_TOKEN$NPM_TOKEN
  env | tee -a "{told}"
  echo "refused: Basic $(printf '__token__:%s' "$token" | base64 -w0), Bearer \033[1m$token\033[0m" >&2
  exit 1
  ;;
esac
exec "{real}" "$@"
"""


def telling_tools(folder: Path, told: Path) -> Path:
    """A Python beside which cargo, gem, uv and npm print their environment, also into `told`, and upload nothing."""
    environment = folder / ".venv"
    (environment / "bin").mkdir(parents=True)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", environment)
    (environment / "lib").symlink_to(Path(sys.prefix) / "lib")
    (folder / ".tools").symlink_to(ROOT / ".tools")
    python = environment / "bin" / "python"
    python.symlink_to(sys.executable)
    scripts = {"dagster": f'#!/bin/sh\nexec "{python}" -m dagster "$@"\n'}
    for tool in ("cargo", "gem", "uv", "npm"):
        real = shutil.which(tool, path=search_path())
        scripts[tool] = TELLING.format(told=told, real=real)
    for name, text in scripts.items():
        (environment / "bin" / name).write_text(text)
        (environment / "bin" / name).chmod(0o755)
    return python


def nothing_leaked(world: Pipeline, canary: str, seen: Seen, printed: str) -> None:
    assert seen.tokens, "no tool was seen with its token"
    secrets = [canary, *seen.tokens]
    assert not seen.given
    for command in seen.commands:
        assert not [secret for secret in secrets if secret in command], command
    for secret in secrets:
        assert not [form for form in forms(secret) if form in printed.encode()]
    assert found_in(world.folder, secrets) == []


def test_neither_the_databases_nor_the_store_nor_the_terminal_of_passing_and_failing_uploads_hold_a_secret(
    second: Pipeline, canary: str
) -> None:
    for registry in ("npm", "rubygems", "pypi"):
        shutil.rmtree(second.registries / "records" / registry)
    for fault in parse_faults("npm:upload:refuse; pypi:upload:400"):
        order(second.registries, fault)
    environment = planted(canary)
    with watching(second.folder, canary) as seen:
        failed = [second.execute(job, FIRST, environment) for job in ("publish_typescript", "publish_python")]
        withdraw(second.registries)
        passed = [second.execute(job, FIRST, environment) for job in ("publish_typescript", "publish_ruby")]
        # The public registries are asked, with what the environment holds.
        live = second.execute("detect_and_calculate", "release-20260301-0300", environment, registries="live")
    ends = [*failed, *passed, live]
    assert [ended.status for ended in ends] == [1, 1, 0, 0, 0], "\n".join(ended.output[-2000:] for ended in ends)
    nothing_leaked(second, canary, seen, "".join(ended.output for ended in ends))


@pytest.mark.slow
def test_tools_that_print_their_tokens_and_fail_leave_none_of_them_anywhere(
    second: Pipeline, canary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(second.registries / "records")
    told = tmp_path / "told"
    monkeypatch.setattr(sys, "executable", str(telling_tools(tmp_path / "tools", told)))
    jobs = {
        "publish_crates": "crates_io/tasker-pgmq",
        "publish_ruby": "rubygems/tasker-rb",
        "publish_python": "pypi/tasker-py",
        "publish_typescript": "npm/tasker",
    }
    with watching(second.folder, canary) as seen:
        ends = {job: second.execute(job, FIRST, planted(canary)) for job in jobs}
    pairs = [line.split("=", 1) for line in told.read_text().splitlines() if line.split("=", 1)[0] in TOKENS]
    assert {name for name, _ in pairs} == TOKENS
    assert canary not in told.read_text()
    seen.tokens |= {value for _, value in pairs}
    for job, key in jobs.items():
        assert (ends[job].status, second.outcomes(FIRST)[key]) == (1, "failed"), ends[job].output[-3000:]
        log = (second.store / FIRST / "logs" / f"publish_{key.replace('/', '_')}.log").read_text()
        for printed in (log, ends[job].output):
            assert any(f"{name}=***" in printed for name in TOKENS)
            assert "refused: Basic ***, Bearer ***" in printed
    nothing_leaked(second, canary, seen, "".join(ended.output for ended in ends.values()))


@pytest.mark.slow
def test_a_whole_release_that_fails_and_is_continued_and_a_live_dry_run_leave_no_secret_anywhere(
    second: Pipeline, canary: str
) -> None:
    change(second.source, "tasker-shared/src/lib.rs", "\n// more\n")
    for fault in parse_faults("crates_io:upload:refuse:package=tasker-worker"):
        order(second.registries, fault)
    environment = planted(canary)
    with watching(second.folder, canary) as seen:
        failed = second.execute("release", "rehearsal-secret", environment)
        withdraw(second.registries)
        passed = second.execute("release", "rehearsal-secret", environment)
        live = second.execute("release", "release-20260301-0300", environment, registries="live", dry_run=True)
    assert (failed.status, passed.status) == (1, 0), failed.output[-3000:] + passed.output[-3000:]
    assert seen.tools >= {"cargo", "ruby", "uv", "node"}
    nothing_leaked(second, canary, seen, failed.output + passed.output + live.output)


def test_a_secret_is_found_wherever_it_could_hide(tmp_path: Path, canary: str) -> None:
    for before in range(4):
        content = b"x" * before + canary.encode()
        (tmp_path / f"{before}.base64").write_bytes(base64.b64encode(content + b" and more of it"))
        (tmp_path / f"{before}.urlsafe").write_bytes(base64.urlsafe_b64encode(content + b" and more of it"))
    (tmp_path / "plain").write_text(f"token={canary}")
    (tmp_path / "gz").write_bytes(gzip.compress(canary.encode()))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar, zipfile.ZipFile(tmp_path / "zip", "w") as zipped:
        member = tarfile.TarInfo("a")
        member.size = len(canary)
        tar.addfile(member, io.BytesIO(canary.encode()))
        zipped.writestr("a", canary, zipfile.ZIP_DEFLATED)
    (tmp_path / "tgz").write_bytes(archive.getvalue())
    with sqlite3.connect(tmp_path / "db") as database:
        database.execute("create table t (a text)")
        # Across pages of the file, of 4,096 bytes each.
        database.execute("insert into t values (?)", ("y" * 8160 + canary + "z" * 9000,))
    database.close()
    (tmp_path / "none").write_text("nothing")
    assert {path.name for path in tmp_path.iterdir()} - {"none"} == {
        Path(where.removeprefix(f"{tmp_path}/").split("/")[0]).name for where in found_in(tmp_path, [canary])
    }
