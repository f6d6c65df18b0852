"""Who vouches for the released commit: the protected main branch, and its CI."""

from tasker_release_pipeline.steps.rights import Finding, Question, State

_GREEN = ("success", "neutral", "skipped")
_WAITING = ("queued", "in_progress", "waiting", "pending", "requested")


def on_main(asked: Question) -> Finding:
    """Whether the released commit is on the protected default branch."""
    if asked.is_rehearsal:
        return State.UNPROVEN, "a rehearsal: its commit is nobody's branch", {}
    commit = asked.commit
    compared = asked.api.get(f"compare/{asked.branch}...{commit}")
    if compared is None:
        return State.ERROR, f"{commit[:12]} is not on GitHub: push it, and its tag", {}
    status = str(compared["status"])
    if status not in ("identical", "behind"):
        said = f"merge it to {asked.branch} first, and tag the commit there"
        return State.ERROR, f"{commit[:12]} is not in the history of {asked.branch} ({status}): {said}", {}
    branch = asked.api.get(f"branches/{asked.branch}") or {}
    protected = bool(branch.get("protected")) or any(asked.api.pages(f"rules/branches/{asked.branch}"))
    evidence = {"compared with " + asked.branch: status, "protected": str(protected).lower()}
    if not protected:
        return State.WARNING, f"{asked.branch} is not protected: anybody who may push may release; protect it", evidence
    return State.OK, f"{commit[:12]} is in the history of {asked.branch}, which is protected", evidence


def ci_is_green(asked: Question) -> Finding:
    """Whether that branch's CI has seen the commit, and was content."""
    if asked.is_rehearsal:
        return State.UNPROVEN, "a rehearsal: no CI has seen its commit", {}
    at = f"commits/{asked.commit}"
    # The release's own run is on the same commit, but belongs to the tag that started it.
    suites = {
        suite["id"]
        for suite in asked.api.pages(f"{at}/check-suites", "check_suites")
        if suite["head_branch"] == asked.branch
    }
    runs: dict[str, str | None] = {}
    for run in asked.api.pages(f"{at}/check-runs", "check_runs", filter="latest"):
        if run["check_suite"]["id"] in suites:
            # Two workflows may have a job of the same name.
            name = run["name"] if run["name"] not in runs else f"{run['name']} (check run {run['id']})"
            runs[name] = run["conclusion"] if run["status"] == "completed" else run["status"]
    status = asked.api.get(f"{at}/status") or {}
    if status.get("total_count"):
        runs["commit status"] = status["state"]
    evidence = {name: str(conclusion) for name, conclusion in runs.items()}
    where = f"{asked.commit[:12]} on {asked.branch}"
    if not runs:
        return State.UNPROVEN, f"no CI is known of {where}: run it there before the release", evidence
    waiting = [name for name, end in runs.items() if end in _WAITING]
    failed = [name for name, end in runs.items() if end not in _GREEN and name not in waiting]
    if failed:
        return (
            State.ERROR,
            f"CI of {where} is not green: {', '.join(failed)}; mend that, and release from there",
            evidence,
        )
    if waiting:
        return State.WARNING, f"CI of {where} is not done: {', '.join(waiting)}; wait for it", evidence
    return State.OK, f"CI of {where} was green", evidence
