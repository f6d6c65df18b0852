"""What became of an upload, by its client's words. What a loopback registry can provoke has a pass of its own."""

from datetime import UTC, datetime

import pytest

from tasker_release_pipeline.registries.client_words import Failure, Fate, read
from tasker_release_pipeline.release.endpoints import RegistryName

CRATES, GEMS, PYPI, NPM = RegistryName
CARGO = "   Uploading one v1.0.0 (/source)\nerror: failed to publish one v1.0.0 to registry at https://crates.io\n\n"
PUSH = "Pushing gem to https://rubygems.org...\nPOST https://rubygems.org/api/v1/gems\n"
UV = "Uploading one.whl (1.0KiB)\nerror: Failed to publish `one.whl` to `https://upload.pypi.org/legacy/`\n  cause: "
NPM_PUT = "npm notice Publishing to https://registry.npmjs.org/ with tag latest and public access\n"
LIMIT = "gem push one.gem in /tmp: not done after 3 s, its time limit, and ended; raise the limit"


@pytest.mark.parametrize(
    ("registry", "said", "fate"),
    [
        (CRATES, CARGO + "Caused by:\n  [7] Could not connect to server (Failed to connect)", Fate.BUSY),
        (CRATES, CARGO + "Caused by:\n  [28] Timeout was reached (Operation too slow)", Fate.LOST),
        (CRATES, CARGO + "Caused by:\n  [60] SSL peer certificate was not OK", Fate.UNTOLD),
        (CRATES, CARGO + "Caused by:\n  failed to get a 200 OK response, got 503\n  headers:\n", Fate.LOST),
        (CRATES, CARGO + "Caused by:\n  Request timed out after 30 seconds. If you're trying", Fate.LOST),
        (CRATES, CARGO + "  the remote server responded with an error (status 400 Bad Request): missing", Fate.REFUSED),
        (CRATES, CARGO + "  (status 400 Bad Request): crate version `1.0.0` is already uploaded", Fate.DUPLICATE),
        (CRATES, "error: crate one@1.0.0 already exists on crates.io index", Fate.DUPLICATE),
        (CRATES, "   Uploading one v1\n    Uploaded one v1 to registry\nerror: download of on/e failed", Fate.ACCEPTED),
        (CRATES, "error: download of config.json failed\n\nCaused by:\n  [6] Could not resolve hostname", Fate.BUSY),
        (CRATES, "warning: spurious network error (3 tries)\nerror: no matching package named `x` found", Fate.REFUSED),
        (CRATES, f"   Packaging one v1.0.0\ncargo package {LIMIT}", Fate.REFUSED),
        (CRATES, f"   Uploading one v1.0.0\ncargo publish {LIMIT}", Fate.CUT_OFF),
        (CRATES, "cargo is missing: install Rust", Fate.REFUSED),
        (GEMS, PUSH + "503 backend read error\n<html>\n", Fate.LOST),
        (GEMS, PUSH + "429 Too Many Requests\nRetry later", Fate.BUSY),
        (GEMS, PUSH + "403 Forbidden\nThe API key doesn't have access\n500 reasons", Fate.REFUSED),
        (GEMS, PUSH + "connection reset after 1 requests, retrying\n" + PUSH + "403 Forbidden\n", Fate.LOST),
        (GEMS, PUSH + "409 Conflict\nRepushing of gem versions is not allowed.\n", Fate.DUPLICATE),
        (GEMS, "ERROR:  While executing gem ... (SocketError)\n    Failed to open TCP connection to x:443", Fate.BUSY),
        (GEMS, LIMIT, Fate.CUT_OFF),
        (GEMS, "gem push in /tmp: ended by SIGTERM:\n(it printed nothing)", Fate.CUT_OFF),
        (GEMS, 'ERROR:  "https://x" is not allowed by the gemspec, which only allows "https://y"', Fate.REFUSED),
        (PYPI, UV + "Failed to send POST request\n  cause: client error (Connect)\n  cause: dns error", Fate.BUSY),
        (PYPI, UV + "Failed to send POST request\n  cause: client error (SendRequest)", Fate.LOST),
        (PYPI, UV + "Server returned status code 502 Bad Gateway. Server says: ", Fate.LOST),
        (PYPI, UV + "Server returned status code 429 Too Many Requests. Server says: 429 Too many", Fate.BUSY),
        (PYPI, UV + "Server returned status code 400 Bad Request. Server says: 400 Invalid platform tag", Fate.REFUSED),
        (PYPI, UV + "Server returned status code 400 Bad Request. Server says: File already exists", Fate.DUPLICATE),
        (PYPI, UV + "something that no one has seen yet", Fate.UNTOLD),
        (PYPI, "error: no files found to publish", Fate.REFUSED),
        (NPM, NPM_PUT + "npm error code ENOTFOUND\n", Fate.BUSY),
        (NPM, NPM_PUT + "npm error code ETIMEDOUT\n", Fate.LOST),
        (NPM, NPM_PUT + "npm ERR! code E502\n", Fate.LOST),
        (NPM, NPM_PUT + "npm error code E404\nnpm error 404 Not Found - PUT https://registry", Fate.REFUSED),
        (NPM, NPM_PUT + "npm error code E403\nnpm error 403 You cannot publish over the previously", Fate.DUPLICATE),
        (NPM, NPM_PUT + "npm error code E409\nnpm error 409 Conflict - Failed to save packument.", Fate.BUSY),
        (NPM, "npm error code ENEEDAUTH\nnpm error need auth This command requires you to be logged in", Fate.REFUSED),
    ],
)
def test_a_clients_words_tell_what_became_of_the_file(registry: RegistryName, said: str, fate: Fate) -> None:
    assert read(registry, said).fate is fate


def test_only_what_is_not_settled_is_tried_again_and_only_what_may_have_arrived_is_doubtful() -> None:
    assert {fate for fate in Fate if Failure(fate).passing} == {Fate.BUSY, Fate.LOST}
    assert {fate for fate in Fate if Failure(fate).may_have_arrived} == {Fate.LOST, Fate.CUT_OFF, Fate.UNTOLD}


NOW = datetime(2026, 5, 8, 13, 0, 0, tzinfo=UTC)
CAUSE = CARGO + "Caused by:\n  the remote server responded with an error (status 429 Too Many Requests): "


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (
            CAUSE + "You have published too many new crates in a short period of time. Please try again after "
            "Fri, 08 May 2026 13:02:42 GMT and see https://crates.io/docs/rate-limits for more details.",
            162,
        ),
        (CAUSE + "Please try again after Fri, 08 May 2026 12:59:00 GMT or email help@crates.io", 0),
        (CAUSE + "Please try again after lunch", None),
        (CARGO + "  failed to get a 200 OK response, got 429\n  headers:\n  \tretry-after: 30\n  \t\n  body:\n", 30),
        (CARGO + "  failed to get a 200 OK response, got 503\n  headers:\n  \tserver: x\n  body:\n", None),
    ],
)
def test_the_wait_that_a_registry_names_is_read_where_its_client_prints_it(said: str, seconds: float | None) -> None:
    assert read(CRATES, said, NOW).retry_after == seconds
