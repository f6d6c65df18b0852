"""The body of a file upload, `multipart/form-data` (RFC 7578).

Read here, as nothing else in this project needs a form and the standard library has no reader for binary parts.
"""

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser


class MalformedFormError(Exception):
    """Not a form of this type."""


@dataclass(frozen=True)
class Form:
    """`fields` by name, in the order sent; `files` by name as (file name, bytes)."""

    fields: dict[str, list[str]]
    files: dict[str, tuple[str, bytes]]

    def field(self, name: str) -> str:
        """The first value of a field; empty if it was not sent."""
        return self.fields.get(name, [""])[0]


def parse(content_type: str, body: bytes) -> Form:
    """Split a form at its boundary. Raises `MalformedFormError`."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary:
        raise MalformedFormError("not a multipart/form-data body with a boundary")
    # The first boundary has no line break before it. What precedes it and follows the last one is not the form's.
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if not parts or not parts[-1].startswith(b"--"):
        raise MalformedFormError("the form's end is missing")
    fields: dict[str, list[str]] = {}
    files: dict[str, tuple[str, bytes]] = {}
    for part in parts[:-1]:
        head, found, content = part.partition(b"\r\n\r\n")
        if not found:
            raise MalformedFormError("a part without headers")
        headers = BytesHeaderParser().parsebytes(head.lstrip())
        name = headers.get_param("name", header="content-disposition")
        filename = headers.get_filename()
        if not isinstance(name, str):
            raise MalformedFormError("a part without a name")
        if filename is None:
            fields.setdefault(name, []).append(content.decode("utf-8", "replace"))
        else:
            files[name] = (filename, content)
    return Form(fields, files)
