"""What is refused before anything starts: bad settings, source, manifest, tools, store."""

from collections.abc import Collection

from tasker_release_pipeline.release.bases import from_ref
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.plan import check_tag
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.stamping import Tree, tree_versions
from tasker_release_pipeline.steps.gate import admit
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.toolchains.cargo_metadata import check_manifest, metadata
from tasker_release_pipeline.toolchains.tools import check_tools


def check_inputs(
    run: ReleaseRun, *, plans: bool, builds: Collection[RegistryName], publishes: Collection[RegistryName], gates: bool
) -> None:
    """Refuse what the chosen steps could not work with. Raises InputError or GateError.

    `plans`, `gates`: whether the run makes the plan, or gives the verdict, itself. `builds`, `publishes`: the
    registries whose packages it builds or uploads.
    """
    commit = run.commit
    if run.settings.from_ref:
        from_ref(run.checkout, run.settings.from_ref, commit)
    tree = tree_versions(Tree.of(run.checkout, commit).read, run.manifest, commit[:12])
    if run.checkout.commit_of(f"refs/tags/{run.release}"):
        check_tag(run.manifest, run.release, tree)
    elif run.mode is Mode.LIVE:
        raise InputError(
            f"release {run.release}: {run.checkout.path} has no tag of that name, and a live release publishes the "
            "tagged commit; fetch it (git fetch --tags), or correct the key"
        )
    if problems := check_tools(run.manifest, builds, publishes).problems:
        raise InputError("; ".join(problems))
    # The stamped tree is checked in any case; here already where it is at hand, before anything starts.
    if (
        plans
        and commit == run.checkout.head
        and (problems := check_manifest(run.manifest, metadata(run.checkout.path)))
    ):
        raise InputError(f"manifest {run.settings.manifest}: " + "; ".join(problems))
    if publishes and not gates and not run.settings.dry_run:
        admit(run)
