"""Start a worker: ``python -m worker.main train`` runs jobs, ``python -m worker.main sample`` answers for samples.

Both take their settings from ``LETHE_*`` variables and carry a reaper. Celery runs its tasks in threads, so that the
consumer beside them lives: it notices a restarted broker, and SIGTERM while a job runs. A job is run alone; requests
for samples are taken as many at a time as one batch has images, so that those that wait are drawn together.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import socket
import sys
from importlib.metadata import version
from typing import Literal

from celery import Celery, signals

from jobs.artifacts import ArtifactStore
from jobs.broker import QUEUE_JOBS, QUEUE_SAMPLES, Broker
from jobs.database import make_engine
from jobs.generators import GeneratorStore
from jobs.settings import Settings, SettingsError, load_settings
from jobs.store import JobStore
from jobs.workers import Worker
from sfd_core.errors import ModelRefused
from worker.child import fork_server
from worker.device import device_of
from worker.queue import make_app, register_run, register_sample
from worker.reaper import Reaper
from worker.runner import Runner

logger = logging.getLogger("lethe.worker")


def main(kind: Literal["train", "sample"]) -> int:
    """Run until SIGTERM: a job that runs is checkpointed and handed back. Returns the exit status."""
    os.umask(0o077)  # what a worker writes is nobody else's on its machine: weights, prompts, reports
    try:
        settings = load_settings()
        logging.basicConfig(
            level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        app = assemble(kind, settings)
    except (SettingsError, ModelRefused) as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201 - logging may not be set up
        return 2
    queue, at_once = QUEUE_JOBS, 1
    if kind == "sample":
        from sfd_core.families.sampling import SAMPLE_BATCH  # imports numpy, which a runner never needs

        queue, at_once = QUEUE_SAMPLES, SAMPLE_BATCH
    pool = [
        "--pool",
        "threads",
        "--concurrency",
        str(at_once),
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]
    app.worker_main(["worker", "-Q", queue, "--loglevel", settings.log_level, *pool, "-n", f"{kind}-{os.getpid()}@%h"])
    return 0


def assemble(kind: Literal["train", "sample"], settings: Settings) -> Celery:
    """Assemble the Celery application of one kind of worker, with its reaper started and stopped along with it."""
    engine = make_engine(settings.require_database())
    broker = Broker(settings.require_broker())
    store = JobStore(engine)
    artifacts = ArtifactStore(settings.artifacts_url)
    app = make_app(settings.require_broker())
    worker = this_worker(settings) if kind == "train" else None
    if kind == "sample":
        from worker.credentials import Credentials
        from worker.sampler import Sampler  # imports torch, which a runner never needs

        signer = settings.signer() if settings.content_credentials else None
        sampler = Sampler(
            GeneratorStore(engine),
            artifacts,
            broker,
            settings.device,
            mark_images=settings.mark_images,
            credentials=None if signer is None else Credentials(signer),
        )
        register_sample(app, sampler)
        reaper = Reaper(settings, store, engine, broker, forget=sampler.forget_deleted)
    else:
        reaper = Reaper(settings, store, engine, broker, worker)
    signals.worker_ready.connect(lambda **_: reaper.start(), weak=False)
    signals.worker_shutting_down.connect(lambda **_: reaper.stop(), weak=False)
    if worker is not None:
        forks = fork_server(settings.work_dir)
        runner = Runner(settings, store, GeneratorStore(engine), artifacts, worker.name, forks, worker.memory_bytes)
        signals.worker_ready.connect(lambda **_: forks.start(), weak=False)
        atexit.register(forks.close)  # when no job runs any more: whoever stops us expects nothing of us to be left
        signals.worker_shutting_down.connect(lambda **_: runner.shutting_down.set(), weak=False)
        register_run(app, runner)
    return app


def this_worker(settings: Settings) -> Worker:
    """Return what this process states of itself as a worker that trains.

    Raises:
        SettingsError: its device is not there.
    """
    device, host = device_of(settings), socket.gethostname()
    logger.info("on %s, with %.1f GB for a job", device.name, device.memory_bytes / 1e9)
    # Containers may have one host's name and the same process ids, and a worker must know its own claims.
    name = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
    return Worker(name, version("lethe"), host, device.name, device.memory_bytes, settings.gpus)


if __name__ == "__main__":
    if sys.argv[1:] not in (["train"], ["sample"]):
        print("usage: python -m worker.main train|sample", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    sys.exit(main("train" if sys.argv[1] == "train" else "sample"))
