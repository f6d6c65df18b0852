"""A plan as outputs, for the jobs of a workflow that follow: the names of `tasker-release calculate-versions`."""

import re

from tasker_release_pipeline.release.plan import Plan

UNCHANGED = "unchanged"


def outputs(plan: Plan) -> dict[str, str]:
    """What changed (`true`, `false`), since which ref, and the next versions (`unchanged` where so).

    And `DRY_RUN`: whether the run that made the plan ends at the gate, whatever it was asked for.
    """
    core = next((package.component for package in plan.packages if package.phase is not None), None)
    first = plan.components[core or next(iter(plan.components))]
    values = {"CHANGES_BASE_REF": first.base.ref if first.base.commit is not None else ""}
    versions = {}
    if core is not None:
        ffi, server = (f"the {part} core changed" in first.reasons for part in ("FFI", "server"))
        values["FFI_CORE_CHANGED"] = _word(ffi)
        values["SERVER_CORE_CHANGED"] = _word(server)
        values["CORE_CHANGED"] = _word(ffi or server)
        versions["CURRENT_CORE_VERSION"] = first.tree
    for name, decision in plan.components.items():
        upper = re.sub(r"\W", "_", name.upper())
        if name != core:
            own = tuple(f"{package.key} changed" for package in plan.packages if package.component == name)
            values[f"{upper}_CHANGED"] = _word(any(reason.startswith(own) for reason in decision.reasons))
        label = "CORE" if name == core else upper
        versions[f"NEXT_{label}_VERSION"] = decision.version if decision.publish else UNCHANGED
    return values | versions | {"DRY_RUN": _word(plan.settings.dry_run)}


def _word(is_so: bool) -> str:
    return "true" if is_so else "false"
