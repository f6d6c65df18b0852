"""The files that are checked out, rather than those of a commit: read, and written all or none."""

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.signals import signals_wait
from tasker_release_pipeline.release.stamping import Tree


def working_tree(checkout: Checkout) -> Tree:
    """The tracked files as they lie in the folder, with changes that are not committed."""
    modes = {}
    for line in filter(None, checkout.run("ls-files", "--stage", "-z").split("\0")):
        (mode, _, _), path = line.split("\t", 1)[0].split(" "), line.split("\t", 1)[1]
        if mode in ("100644", "100755"):
            modes[path] = mode

    def read(path: str) -> str | None:
        file = checkout.path / path
        if path not in modes or file.is_symlink() or not file.is_file():
            return None
        return file.read_bytes().decode("utf-8", "surrogateescape")

    return Tree(modes, read)


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write all of these files (path below `folder` to text) or, where one can't be, none. Modes stay.

    Signals wait until it is done. Raises InputError.
    """
    fresh = {folder / path: folder / f"{path}.{uuid.uuid4().hex}.new" for path in texts}
    with signals_wait():
        replaced: dict[Path, bytes] = {}
        try:
            for file, text in zip(fresh, texts.values(), strict=True):
                fresh[file].write_bytes(text.encode("utf-8", "surrogateescape"))
                fresh[file].chmod(file.stat().st_mode)
            for file, new in fresh.items():
                before = file.read_bytes()
                os.replace(new, file)
                replaced[file] = before
        except OSError as error:
            for file, before in replaced.items():
                file.write_bytes(before)
            raise InputError(
                f"{error.filename}: cannot be written ({error.strerror}); nothing was changed; mend its permissions"
            ) from None
        finally:
            for new in fresh.values():
                with suppress(OSError):
                    new.unlink()
