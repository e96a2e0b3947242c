"""Serve until told to end. Run as ``python server_script.py LOG``; it prints its address."""

import sys

from brightness import Brightness

from deepfake_lightning.monitoring import PredictionLog
from deepfake_lightning.serving.app import create_app
from deepfake_lightning.serving.server import listen, run, url_of

if __name__ == "__main__":
    with listen("127.0.0.1", 0) as listener, PredictionLog(sys.argv[1]) as log:
        print(url_of(listener), flush=True)
        run(create_app(Brightness(), log), listener)
    print("ended", flush=True)
