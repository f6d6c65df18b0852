"""What the changes are counted from: an earlier release, never the release itself."""

from collections.abc import Collection

from tasker_release_pipeline.release.bases import BaseKind
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.plan import Plan


def counted_from_an_earlier_release(plan: Plan, own: Collection[str], *, tagged: bool) -> Report:
    """No component's base is the release itself, and a release that is tagged publishes something.

    `own`: the tags of this release. `tagged`: one of its name exists.
    """
    bases = {name: decision.base for name, decision in plan.components.items()}
    shown = {name: f"{base.ref} ({base.commit[:12]})" if base.commit else base.ref for name, base in bases.items()}
    errors = [
        f"{name}: its changes are counted from {base.ref}, which is a tag of this very release, so that none is found; "
        "plan the release again, or name an older base in from_ref"
        for name, base in bases.items()
        if base.kind is not BaseKind.FROM_REF and base.ref in own
    ]
    warnings = []
    if tagged and not plan.publishes:
        since = ", ".join(f"{name} since {text}" for name, text in shown.items())
        warnings.append(
            f"tag {plan.release}: publishes nothing, as nothing changed ({since}); if this release came out "
            "before, all is well; if not, name the last release in from_ref"
        )
    return Report.of(
        errors=errors,
        warnings=warnings,
        evidence=shown,
        seen=", ".join(f"{name} since {text}" for name, text in shown.items()),
    )
