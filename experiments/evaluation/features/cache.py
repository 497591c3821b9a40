"""The folder of cached features: what names a file, which files can be used, and how much room they may take."""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from data_modules.base import ClipDataModule
from experiments.evaluation.features.feature_file import Footer, Unusable, check_content, read_footer
from experiments.evaluation.features.mapped_table import is_in_use
from experiments.evaluation.features.tables import Kept
from vjepa.storage import digest, digest_json, storage_error

Say = Callable[[str], None]
Kind = Literal["means", "tokens", "frames"]

DISK_LIMIT = 20 * 2**30
"""Most bytes of token features and decoded frames that a cache keeps."""

_SUFFIX, _PART = ".features", ".part"
_KEPT_FREE = 2**30
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True)
class DataKey:
    """What decides the clips of a split, beside their positions.

    Args:
        name: of the data set.
        manifest_hash: of its files and labels.
        num_frames: frames of a clip.
        size: height and width in pixels.
    """

    name: str
    manifest_hash: str
    num_frames: int
    size: int

    @classmethod
    def of(cls, data: ClipDataModule) -> DataKey:
        """The key of a prepared data module."""
        return cls(data.name, data.manifest_hash, data.num_frames, data.size)


@dataclass(frozen=True)
class FeatureCache:
    """Features of one data set in a folder that holds those of others too.

    A file is named by a hash of everything that decides its content, so features of other weights, data or clips are
    never found under it. Means are small and stay; tokens and frames make room for one another.

    Args:
        folder: made when first written to.
        data: whose clips.
        disk_limit: most bytes of tokens and frames in the folder.
    """

    folder: Path
    data: DataKey
    disk_limit: int = DISK_LIMIT

    def path(self, kind: Kind, split: str, positions: Tensor, digest_: str = "", kept: Kept | None = None) -> Path:
        """Where features are kept.

        Args:
            kind: of features.
            split: of the data set.
            positions: (n,) int64 in it.
            digest_: of the subject; frames have none.
            kept: channels that are kept; None for all.
        """
        channels = None if kept is None or kept.channels is None else digest(kept.channels.numpy().tobytes())
        clips = digest(positions.numpy().tobytes())
        key = digest_json([kind, digest_, asdict(self.data), split, clips, channels])
        return self.folder / f"{kind}-{key[:24]}{_SUFFIX}"

    def find(self, path: Path, say: Say) -> Footer | None:
        """The footer of a file that is read whole and can be used; one that cannot is said and removed.

        Args:
            path: of the file.
            say: called with a line.

        Raises:
            UserError: a file that cannot be used cannot be removed either.
        """
        try:
            footer = read_footer(path)
            check_content(path, footer)
        except FileNotFoundError:
            return None
        except (Unusable, OSError) as problem:
            reason = problem if isinstance(problem, Unusable) else f"cannot be read ({problem})"
            say(f"cached features {path} {reason}: they are made again")
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise storage_error(path, error) from error
            return None
        return footer

    def room(self, path: Path) -> int:
        """Bytes that a new file of tokens or frames may take once everything that nobody uses has gone.

        Args:
            path: of the file to come, of which there may be a part already.
        """
        sizes = {True: 0, False: 0}
        for other in self._others(path):
            sizes[_is_used(other)] += other.stat().st_size
        return min(self.disk_limit - sizes[True], self.free_disk() + sizes[False] - _KEPT_FREE)

    def make_room(self, path: Path, num_bytes: int) -> None:
        """Remove tokens and frames that nobody uses, the oldest first, until a new file keeps to the limits.

        Args:
            path: of the file to come.
            num_bytes: of it.
        """
        others = sorted(self._others(path), key=lambda other: other.stat().st_mtime)
        taken = sum(other.stat().st_size for other in others)
        for other in others:
            if taken + num_bytes <= self.disk_limit and self.free_disk() - _KEPT_FREE >= num_bytes:
                return
            if not _is_used(other):
                taken -= other.stat().st_size
                for file in self.folder.glob(f"{_key(other)}.*"):
                    file.unlink(missing_ok=True)

    def free_disk(self) -> int:
        """Bytes free where the folder is or will be."""
        folder = self.folder.absolute()
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def _others(self, path: Path) -> list[Path]:
        names = (f"{kind}-*{end}" for kind in ("tokens", "frames") for end in (_SUFFIX, _PART))
        return [other for name in names for other in self.folder.glob(name) if _key(other) != _key(path)]


@contextmanager
def writing(path: Path, say: Say) -> Iterator[None]:
    """Keep other evaluations from making the same file until the block ends or the process dies.

    Args:
        path: of the file.
        say: called with a line if another one is at it.

    Raises:
        UserError: the folder cannot be written.
    """
    lock = path.with_name(f"{_key(path)}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    except OSError as error:
        raise storage_error(lock, error) from error
    with open(lock, "r+") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                say(f"another process makes {path.name}: waiting for it")
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield


def _key(path: Path) -> str:
    return path.name.split(".")[0]


def _is_used(path: Path) -> bool:
    if path.suffix == _SUFFIX:
        return is_in_use(path)
    lock = path.with_name(f"{_key(path)}.lock")
    return lock.exists() and is_in_use(lock)
