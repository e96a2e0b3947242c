"""What a process that does jobs sets up for itself."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time


def prepare_process() -> None:
    """Set up a process for jobs on media: one thread, and an end when its parent ends."""
    import cv2

    cv2.setNumThreads(0)  # the processes are the parallelism
    gc.freeze()  # what is loaded by now is never garbage: looking there takes 30 ms a file
    end_with_parent()


def end_with_parent() -> None:
    """End this process when its parent ends, or has ended already.

    A parent that is killed cannot stop its processes; left alone they would go on for the rest of
    a long video, or of a sweep.
    """
    parent, number = multiprocessing.parent_process(), os.getppid()

    def watch() -> None:
        if parent is not None:
            parent.join()  # a pipe tells, so that there is no moment at which it is missed
        while parent is None and os.getppid() == number:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
