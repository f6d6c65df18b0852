"""Tags: made where they are missing, left where they stand right, never moved."""

from typing import Any

from tasker_release_pipeline.github.api import GitHub, RefusedError
from tasker_release_pipeline.release.errors import ConflictError, InputError, ReleaseError, UnavailableError


def standing(api: GitHub, tag: str) -> str | None:
    """The commit that a tag stands on; None where there is no such tag. Annotated tags are followed."""
    ref = api.get(f"git/ref/tags/{tag}")
    if ref is None:
        return None
    found: dict[str, Any] = ref["object"]
    while found["type"] == "tag":
        annotated = api.get(f"git/tags/{found['sha']}")
        if annotated is None:
            raise UnavailableError(f"tag {tag}: the tag object {found['sha']} that it names could not be read")
        found = annotated["object"]
    return str(found["sha"])


def ensure_tag(api: GitHub, tag: str, commit: str) -> bool:
    """See to it that `tag` stands on `commit`; whether it had to be made.

    Raises ConflictError where it stands on another commit, InputError without a token, RefusedError, UnavailableError.
    """
    if _stands(api, tag, commit):
        return False
    if api.token is None:
        raise InputError(
            f"tag {tag}: is not there, and there is no token to make it with; set GITHUB_TOKEN, or push it by hand "
            f"(git push origin {commit}:refs/tags/{tag}) and run again"
        )
    try:
        api.send("POST", "git/refs", {"ref": f"refs/tags/{tag}", "sha": commit})
    except (RefusedError, UnavailableError) as error:
        # Somebody was faster, or the answer got lost: what stands there decides. What can't be asked leaves the error.
        if _stands_after(api, tag, commit):
            return True
        by_hand = f"or push it by hand (git push origin {commit}:refs/tags/{tag}) and run again"
        if isinstance(error, RefusedError):
            raise RefusedError(f"tag {tag}: {error}; {by_hand}", error.status, error.codes) from None
        raise UnavailableError(f"tag {tag}: {error}; run again", error.retry_after) from None
    return True


def _stands(api: GitHub, tag: str, commit: str) -> bool:
    found = standing(api, tag)
    if found is None or found == commit:
        return found is not None
    raise ConflictError(
        f"tag {tag}: stands on {found}, this release is {commit}; a tag that others may have is not moved: "
        f"find out which of the two was published, and if it is {commit[:12]} delete the tag "
        f"(git push origin :refs/tags/{tag}) and run again, else release under the next version"
    )


def _stands_after(api: GitHub, tag: str, commit: str) -> bool:
    try:
        return _stands(api, tag, commit)
    except ConflictError:
        raise
    except ReleaseError:
        return False
