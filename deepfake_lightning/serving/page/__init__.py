"""The web page at ``/`` and the API's description at ``/docs``: static files, nothing fetched.

Example:
    >>> app.include_router(router)  # doctest: +SKIP
"""

from deepfake_lightning.serving.page.files import PATHS, router

__all__ = ["PATHS", "router"]
