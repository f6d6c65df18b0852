"""Whether what is built is a commit, exactly: the one that the release's tag stands on."""

from collections.abc import Mapping
from pathlib import Path

from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.git import git
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.settings import Mode

_SHOWN = 10
_LOOSE = ("--allow-dirty", "--allow-staged")


def nothing_but_commits(manifest: Manifest, source: Path) -> Report:
    """The stamped tree has no change that its commit lacks, and no build command would take one.

    The publish refuses a changed tree: a dry run that allows it proves something else.
    """
    changed = [line[3:] for line in git(source, "status", "--porcelain", "--untracked-files=all").splitlines()]
    errors = []
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        errors.append(
            f"{', '.join(changed[:_SHOWN])}{more}: differs from the commit right after its checkout, and cargo publish "
            "refuses a changed tree; commit the file as git's attributes want it (git add --renormalize)"
        )
    for name, registry in manifest.registries.items():
        for command in registry.build.commands:
            errors += [
                f"manifest {manifest.name}: [registries.{name}.build] {' '.join(command.run)}: {word} proves a "
                "tree that the publish would refuse; take it out"
                for word in command.run
                if word in _LOOSE
            ]
    commands = {name: len(registry.build.commands) for name, registry in manifest.registries.items()}
    return Report.of(
        errors=errors,
        evidence={name: f"{number} commands, the same in every mode" for name, number in commands.items()},
        seen="the tree is its commit",
    )


def tag_on_this_commit(plan: Plan, stamped: str, tags: Mapping[str, str], mode: Mode) -> Report:
    """The release's tag stands on the commit that was planned, and live on the very one that is built.

    `stamped`: the commit that is built. `tags`: the checkout's tags, and the commits that they lead to.
    """
    at = tags.get(plan.release)
    errors = []
    if at is not None and at != plan.commit:
        errors.append(
            f"tag {plan.release}: stands on {at[:12]}, the release was planned on {plan.commit[:12]}; plan it again, "
            "or put the tag back"
        )
    elif mode is Mode.LIVE and at is None:
        errors.append(
            f"tag {plan.release}: is not there any more; fetch it (git fetch --tags), or tag {plan.commit[:12]}"
        )
    elif mode is Mode.LIVE and stamped != plan.commit:
        errors.append(
            f"tag {plan.release}: stands on {plan.commit[:12]}, but {stamped[:12]} is built, with versions stamped in; "
            "commit these versions (tasker-release prepare), and tag that commit"
        )
    stands = f"{plan.release} stands on {at[:12]}" if at else f"there is no tag {plan.release} (yet)"
    return Report.of(errors=errors, evidence={"planned": plan.commit, "built": stamped, "tag": stands}, seen=stands)
