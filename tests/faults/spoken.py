"""What cargo, gem, uv and npm print when an upload fails, as each was seen to.

The pass with the real clients (`test_real_clients_under_faults`) would fail where they say it in other words by now.
"""

from http import HTTPStatus

import httpx

from tasker_release_pipeline.release.endpoints import RegistryName

_SENDING = {
    RegistryName.CRATES_IO: "   Uploading one v1.0.0 (/source/one)\n"
    "error: failed to publish one v1.0.0 to registry at http://registry\n\nCaused by:\n  ",
    RegistryName.RUBYGEMS: "Pushing gem to http://registry...\nPOST http://registry/api/v1/gems\n",
    RegistryName.PYPI: "Publishing 1 file to http://registry/legacy/\nUploading one-1.0.0.whl (1.0KiB)\n"
    "error: Failed to publish `one-1.0.0.whl` to `http://registry/legacy/`\n  cause: ",
    RegistryName.NPM: "npm notice total files: 2\nnpm notice\n"
    "npm notice Publishing to http://registry/ with tag alpha and public access\nnpm error code ",
}
_DROPPED = {
    RegistryName.CRATES_IO: "[52] Server returned nothing (no headers, no data) (Empty reply from server)",
    RegistryName.RUBYGEMS: "connection reset after 1 requests, retrying\nPOST http://registry/api/v1/gems\n"
    "connection reset after 1 requests, retrying\n"
    "ERROR:  While executing gem ... (Gem::RemoteFetcher::FetchError)\n"
    "    too many connection resets (http://registry/api/v1/gems)",
    RegistryName.PYPI: "Failed to send POST request\n  cause: error sending request for url (http://registry/legacy/)\n"
    "  cause: client error (SendRequest)\n  cause: connection closed before message completed",
    RegistryName.NPM: "ECONNRESET\nnpm error errno ECONNRESET\n"
    "npm error network request to http://registry/one failed, reason: socket hang up",
}


def refused(registry: RegistryName, answer: httpx.Response) -> str:
    """After an answer that is no success."""
    status, body = answer.status_code, answer.text
    title = HTTPStatus(status).phrase
    if registry is RegistryName.CRATES_IO:
        detail = answer.json()["errors"][0]["detail"]
        told = f"the remote server responded with an error (status {status} {title}): {detail}"
    elif registry is RegistryName.RUBYGEMS:
        told = f"{status} {title}\n{body}"
    elif registry is RegistryName.PYPI:
        told = f"Server returned status code {status} {title}. Server says: {body}"
    else:
        told = f"E{status}\nnpm error {status} {title} - PUT http://registry/one - {answer.json()['error']}"
    return _SENDING[registry] + told


def dropped(registry: RegistryName) -> str:
    """After a connection that broke, or on which no answer came in time."""
    return _SENDING[registry] + _DROPPED[registry]
