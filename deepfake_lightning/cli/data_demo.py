"""``data demo``: a drawn data set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import Progress

from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace, atomic_folder


def data_demo(
    out: str | None = None,
    identities: int = 24,
    clips: int = 3,
    seed: int = 7,
    media: Literal["videos", "pictures"] = "videos",
    methods: str = "swap,reenact,mouth",
    workspace: str | None = None,
) -> None:
    """Draw a small data set of clips or pictures of faces, real and forged.

    It proves that the pipeline works, and nothing about real deepfakes: the people are drawn,
    and the forgeries are simple on purpose.

    Args:
        out: folder to write (default: data/demo in the workspace); it must not exist yet.
        identities: how many people to draw, 8 or more.
        clips: of each of them, and as many forged ones.
        seed: of everything drawn.
        media: 'videos', or 'pictures', one in the place of each clip.
        methods: of forgery, by turns: swap, reenact, mouth; and render, which is of another kind.
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.data.demo import make_demo
    from deepfake_lightning.schemas import Manifest, write_manifest

    console = Console()
    folder = Path(out) if out else Workspace.find(workspace).data / "demo"
    if folder.exists():
        raise UsageError(
            f"{folder} exists already",
            next_step=f"train on it (--data.root {folder}), or pass another --out",
        )
    with (
        atomic_folder(folder) as aside,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task(f"drawing {media}", total=None)
        rows = make_demo(
            aside,
            identities=identities,
            clips=clips,
            seed=seed,
            media=media,
            methods=[name.strip() for name in methods.split(",")],
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
        write_manifest(Manifest(rows, aside, aside), aside / "manifest.csv")
    fakes = int((rows["label"] == 1).sum())
    things = "clips" if media == "videos" else media
    console.print(
        f"{folder}: {len(rows)} {things} of {identities} drawn people "
        f"({len(rows) - fakes} real, {fakes} forged)\n"
        "This data set proves that the pipeline works. It says nothing about real deepfakes.\n"
        f"next: deepfake-lightning extract {folder} --out {folder}_faces",
        highlight=False,
        soft_wrap=True,
    )
