"""Serve until told to end. Run as ``python server_script.py WORKSPACE``; it prints its address."""

import sys
from pathlib import Path

from brightness import Brightness, fleet_of, served

from deepfake_lightning.serving.app import create_app
from deepfake_lightning.serving.server import listen, run, url_of
from deepfake_lightning.serving.settings import Settings

if __name__ == "__main__":
    with listen("127.0.0.1", 0) as listener:
        print(url_of(listener), flush=True)
        settings = Settings(Path(sys.argv[1]), workers=2)
        run(create_app(settings, fleet=fleet_of(served(Brightness()))), listener)
    print("ended", flush=True)
