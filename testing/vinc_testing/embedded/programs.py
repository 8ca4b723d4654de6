"""The servers' programs where their account can run them: as they were installed, or a copy beside the data.

Root may have installed them where only root may enter, below /root for instance, or with umask 077.
"""

import os
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from .home import account_for, closed_to, told


def within_reach(installed: Path, trees: Sequence[str], program: str, directory: Path) -> Path:
    """Return `installed`, or a copy of its `trees` in the parent of a server's directory, which belongs to root.

    Raises ServerNotStarted where there is no account for the server or no room for a copy.
    """
    path = directory.resolve()
    with told(path):
        account = account_for(path)
        if account is None or closed_to(account, [installed / program], [installed / program]) is None:
            return installed
        stat = (installed / program).stat()
        mark = sha256(f"{installed} {stat.st_mtime_ns} {stat.st_size}".encode()).hexdigest()[:16]
        copy = path.parent / f"programs-{mark}"
        if not copy.exists():
            new = path.parent / f"{copy.name}.{os.getpid()}"
            shutil.rmtree(new, ignore_errors=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            for tree in trees:
                if (installed / tree).is_dir():
                    shutil.copytree(installed / tree, new / tree, symlinks=True)
            for each in (new, *new.rglob("*")):
                if not each.is_symlink():
                    each.chmod(0o755)
            new.rename(copy)
        return copy
