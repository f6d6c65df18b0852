"""Runs a workflow file here: each job's own `run:` steps, in order, in a clean folder, with bash.

Jobs share nothing but what they upload. `uses:` steps have stand-ins, in the table `STAND_INS`; one that is not in it
fails the run.

| action | stand-in |
|---|---|
| actions/checkout | a clone of the repository with all of its history, at the commit of the event |
| ./... | the steps of the composite action, read from the checked-out repository |
| actions/setup-python, setup-node, ruby/setup-ruby | nothing: the tools of this machine |
| actions/upload-artifact, download-artifact | a folder for each artifact's name, beside the jobs |
| actions/attest-build-provenance | a record of the files that it was given |

`sudo` is a command that runs nothing: the system's packages are here already. The pipeline is installed once, by the
first job that does it, with the step's own script; the jobs after it find that installation in place. What clippy
makes of third parties' code is kept between jobs, as a cache on the runners would.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .expressions import condition, interpolate

INSTALLS = "Install the pipeline"
ROOT = Path(__file__).parents[2]


@dataclass
class Job:
    """What became of a job: success, failure, cancelled, skipped; its outputs, and what its steps printed."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    printed: str = ""
    summary: str = ""


@dataclass
class Run:
    """One run of a workflow. `github`, `inputs`, `vars`, `secrets`: the contexts. `environment`: of the runner.

    `shared`: a folder in which the pipeline's installation is kept for all runs of the session. `cache`: what all
    runners keep.
    """

    workflow: Path
    folder: Path
    shared: Path
    cache: Path
    repository: Path
    github: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)
    vars: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    cancelled: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    attested: list[str] = field(default_factory=list)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def start(self, *names: str) -> dict[str, str]:
        """Run all jobs, or these; the result of each. `cancelled` names the job in which somebody cancels the run."""
        jobs = parsed(self.workflow)["jobs"]
        self._run({name: job for name, job in jobs.items() if not names or name in names})
        return {name: job.result for name, job in self.jobs.items()}

    def again(self, *names: str) -> dict[str, str]:
        """Run these jobs again, as "Re-run failed jobs" does, and all that need them."""
        jobs = parsed(self.workflow)["jobs"]
        again = set(names)
        for name, job in jobs.items():
            if again & set(_needs(job)):
                again.add(name)
        for name in again:
            del self.jobs[name]
        self._run({name: job for name, job in jobs.items() if name in again})
        return {name: self.jobs[name].result for name in jobs if name in again}

    def _run(self, waiting: dict[str, Any]) -> None:
        while waiting:
            name = next(n for n, job in waiting.items() if all(need in self.jobs for need in _needs(job)))
            self.jobs[name] = self._job(name, waiting.pop(name))

    def _job(self, name: str, job: Mapping[str, Any]) -> Job:
        needs = {need: self.jobs[need] for need in _needs(job)}
        results = [other.result for other in self._before(name)]
        functions: dict[str, Callable[..., Any]] = {
            "always": lambda: True,
            "cancelled": lambda: "cancelled" in results,
            "failure": lambda: "failure" in results,
            "success": lambda: all(other.result == "success" for other in needs.values()),
        }
        context = {
            "github": {**self.github, "job": name},
            "inputs": self.inputs,
            "vars": self.vars,
            "secrets": self.secrets,
            "needs": {n: {"result": other.result, "outputs": other.outputs} for n, other in needs.items()},
        }
        if not condition(str(job.get("if", "success()")), context, functions):
            return Job("cancelled" if "cancelled" in results and "always()" not in str(job.get("if")) else "skipped")
        matrix = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
        ended = [_Attempt(self, name, job, {**context, "matrix": row}).run() for row in matrix]
        worst = next((e for r in ("cancelled", "failure") for e in ended if e.result == r), ended[0])
        return Job(
            worst.result,
            worst.outputs,
            "\n".join(e.printed for e in ended),
            "\n".join(e.summary for e in ended),
        )

    def _before(self, name: str) -> list[Job]:
        jobs = parsed(self.workflow)["jobs"]
        found: list[str] = []
        todo = list(_needs(jobs[name]))
        while todo:
            need = todo.pop()
            if need not in found:
                found.append(need)
                todo += _needs(jobs[need])
        return [self.jobs[need] for need in found]


class _Attempt:
    """One job on one runner."""

    def __init__(self, run: Run, name: str, job: Mapping[str, Any], context: dict[str, Any]) -> None:
        self.of, self.name, self.job = run, name, job
        number = len(list(run.folder.glob(f"{name}-*")))
        self.folder = run.folder / f"{name}-{number}"
        self.workspace, self.temp = self.folder / "workspace", self.folder / "temp"
        for folder in (self.workspace, self.temp / "work", self.folder / "bin"):
            folder.mkdir(parents=True)
        (self.temp / "work" / "cache").symlink_to(run.cache)
        (self.folder / "bin" / "sudo").write_text('#!/bin/sh\necho "stand-in: sudo $*"\n')
        (self.folder / "bin" / "sudo").chmod(0o755)
        (self.folder / "bin" / "python").symlink_to(sys.executable)
        self.context = {**context, "runner": {"temp": str(self.temp), "os": "Linux"}, "steps": {}, "env": {}}
        self.files = {
            name: self.folder / name.lower()
            for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        }
        self.paths = [str(self.folder / "bin")]
        self.extra: dict[str, str] = {}
        self.failed = self.was_cancelled = False
        self.printed: list[str] = []

    def run(self) -> Job:
        workflow = parsed(self.of.workflow)
        for block in (workflow.get("env", {}), self.job.get("env", {})):
            for key, value in block.items():
                self.context["env"][key] = self._text(value)
        self._steps(self.job["steps"], self.context)
        outputs = {key: self._text(value) for key, value in self.job.get("outputs", {}).items()}
        summary = self.files["GITHUB_STEP_SUMMARY"]
        result = "cancelled" if self.was_cancelled else "failure" if self.failed else "success"
        return Job(result, outputs, "\n".join(self.printed), summary.read_text() if summary.exists() else "")

    def _steps(self, steps: list[dict[str, Any]], context: dict[str, Any]) -> None:
        functions: dict[str, Callable[..., Any]] = {
            "always": lambda: True,
            "cancelled": lambda: self.was_cancelled,
            "failure": lambda: self.failed,
            "success": lambda: not self.failed and not self.was_cancelled,
        }
        for step in steps:
            if not condition(str(step.get("if", "success()")), context, functions):
                continue
            if "uses" in step:
                self._uses(step, context)
            else:
                self._bash(step, context)

    def _uses(self, step: dict[str, Any], context: dict[str, Any]) -> None:
        given = {key: self._text(value, context) for key, value in step.get("with", {}).items()}
        if step["uses"].startswith("./"):
            action = parsed(self.workspace / step["uses"] / "action.yml")
            defaults = {key: str(row.get("default", "")) for key, row in action.get("inputs", {}).items()}
            # Inside of it `success()` means its own steps, whatever failed in the job before.
            before, self.failed = self.failed, False
            self._steps(action["runs"]["steps"], {**context, "inputs": {**defaults, **given}, "steps": {}})
            self.failed |= before
            return
        action, _, version = step["uses"].partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", version), step["uses"]
        STAND_INS[action](self, given)

    def _bash(self, step: dict[str, Any], context: dict[str, Any]) -> None:
        assert "${{" not in step["run"], "an expression inside a shell script"
        # A runner has Python's packages from what the job installs alone.
        machine = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment = {**machine, **self.of.environment, **context["env"], **self.extra}
        environment |= {key: self._text(value, context) for key, value in step.get("env", {}).items()}
        environment = {key: value for key, value in environment.items() if value != ""}
        environment |= {name: str(path) for name, path in self.files.items()}
        environment |= {
            "PATH": os.pathsep.join([*reversed(self.paths), os.environ["PATH"]]),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_JOB": self.name,
            "RUNNER_TEMP": str(self.temp),
            **{f"GITHUB_{key.upper()}": str(value) for key, value in self.of.github.items()},
        }
        installs = step.get("name") == INSTALLS
        with open(self.of.shared / "installation.lock", "wb") as lock:
            if installs:
                fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self._script(step, installs)],
                cwd=self.workspace, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=400, check=False,
            )  # fmt: skip
            if installs and done.returncode == 0 and not self.installation.exists():
                self.installation.symlink_to(self.temp / "pipeline")
        self.printed.append(f"## {step.get('name', step['run'])}\n{done.stdout}")
        self._take_files(step, context)
        if done.returncode != 0 and not self.failed:
            self.failed = True
        if self.of.cancelled == self.name:
            self.was_cancelled = True

    @property
    def installation(self) -> Path:
        return self.of.shared / "pipeline-installation"

    def _script(self, step: dict[str, Any], installs: bool) -> str:
        script: str = step["run"]
        if not installs or not self.installation.exists():
            return script
        (self.temp / "pipeline").symlink_to(self.installation)
        return script[script.index('echo "$RUNNER_TEMP/pipeline/bin"') :]

    def _take_files(self, step: dict[str, Any], context: dict[str, Any]) -> None:
        self.extra |= _pairs(self.files["GITHUB_ENV"])
        outputs = _pairs(self.files["GITHUB_OUTPUT"])
        if "id" in step:
            context["steps"][step["id"]] = {"outputs": outputs}
        self.files["GITHUB_OUTPUT"].unlink(missing_ok=True)
        if self.files["GITHUB_PATH"].exists():
            self.paths += self.files["GITHUB_PATH"].read_text().splitlines()
            self.files["GITHUB_PATH"].unlink()

    def _text(self, value: Any, context: dict[str, Any] | None = None) -> str:
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        return interpolate(shown, context or self.context, {})


def _checkout(job: _Attempt, given: dict[str, str]) -> None:
    git = ["git", "-c", "advice.detachedHead=false"]
    subprocess.run([*git, "clone", "-q", str(job.of.repository), str(job.workspace)], check=True)
    at = given.get("ref") or job.of.github["sha"]
    subprocess.run([*git, "checkout", "-q", at.removeprefix("refs/tags/")], cwd=job.workspace, check=True)


def _upload(job: _Attempt, given: dict[str, str]) -> None:
    target = job.of.artifacts / given["name"]
    assert given.get("overwrite") == "true" or not target.exists(), f"{given['name']} is there already"
    shutil.rmtree(target, ignore_errors=True)
    if any(Path(given["path"]).rglob("*")):
        shutil.copytree(given["path"], target)


def _download(job: _Attempt, given: dict[str, str]) -> None:
    artifacts = job.of.artifacts
    if run := given.get("run-id"):
        artifacts = artifacts.parent.parent / run / "artifacts"
        assert given["github-token"], "another run's artifacts need a token"
    for folder in sorted(artifacts.glob(given["pattern"])):
        shutil.copytree(folder, given["path"], dirs_exist_ok=True)


def _attest(job: _Attempt, given: dict[str, str]) -> None:
    job.of.attested.append(given["subject-path"])


def _nothing(job: _Attempt, given: dict[str, str]) -> None:
    """The tools of this machine."""


STAND_INS: dict[str, Callable[[_Attempt, dict[str, str]], None]] = {
    "actions/checkout": _checkout,
    "actions/setup-python": _nothing,
    "actions/setup-node": _nothing,
    "ruby/setup-ruby": _nothing,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
    "actions/attest-build-provenance": _attest,
}


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _pairs(path: Path) -> dict[str, str]:
    """`KEY=VALUE` lines, and `KEY<<DELIMITER` blocks."""
    found: dict[str, str] = {}
    lines = iter(path.read_text().splitlines() if path.exists() else [])
    for line in lines:
        if match := re.fullmatch(r"([A-Za-z_]\w*)<<(\S+)", line):
            block = []
            for inner in lines:
                if inner == match[2]:
                    break
                block.append(inner)
            found[match[1]] = "\n".join(block)
        elif line:
            key, _, value = line.partition("=")
            found[key] = value
    return found


def parsed(workflow: Path) -> dict[str, Any]:
    """A workflow's, or an action's, content."""
    return dict(yaml.load(workflow.read_text(), _Loader))  # noqa: S506  # a SafeLoader, see below


class _Loader(yaml.SafeLoader):
    """Without YAML 1.1's booleans: `on:` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
