"""What a server does with jobs. Run as ``python server_like.py FOLDER BUNDLE CLIP COUNT``.

It accepts so many jobs as fast as it can while a runner does them, prints the id of each as soon
as it is accepted, and then goes on until it is killed. COUNT 0 leaves it with the runner alone.
"""

import shutil
import sys
import time
import uuid
from pathlib import Path

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.serving.jobs import JobRunner, JobStore, Order

if __name__ == "__main__":
    folder, bundle, clip, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    loaded = load_bundle(Path(bundle))
    with JobStore(folder, limit=1000) as store:
        runner = JobRunner(store)
        runner.start()
        print("up", flush=True)
        for _ in range(count):
            order = Order(
                id=uuid.uuid4().hex, client="me", version="v1", digest=loaded.digest, bundle=bundle
            )
            spooled = folder.with_name(f"spooled-{order.id}")
            shutil.copy(clip, spooled)
            store.submit(order, spooled)
            print(order.id, flush=True)
            time.sleep(0.05)
        time.sleep(600)
