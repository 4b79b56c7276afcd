"""One job from claim to publication, on one screen: claim -> train and evaluate in a process of its own -> publish.

The runner holds the lease and supervises; it never imports torch. It ends an attempt in one of these ways:
published; cancelled on request; released (a deploy: checkpoint, back to the queue, no failure counted); given up
with an error of the catalogue; or fenced off, when the lease is lost: then it kills its process and writes nothing.
"""

from __future__ import annotations

import dataclasses
import logging
import shutil
import threading
import time
from pathlib import Path

from jobs.artifacts import ArtifactStore
from jobs.database import DATABASE_ERRORS, is_away
from jobs.errors import JOB_ERRORS, Deleted, GeneratorNotFound, LeaseLost
from jobs.forecast import Forecast, Known
from jobs.generators import Generator, GeneratorStore
from jobs.hub_models import PREFIX, hub_folder, hub_model
from jobs.job import Claim, JobError, JsonObject, Publication
from jobs.settings import Settings
from jobs.states import Phase
from jobs.store import JobStore
from jobs.work import CPU, Work
from processes.forking import ForkServer
from processes.memory_kills import MemoryKills
from processes.talking import Talking
from sfd_core.base_model.hub_name import parse_hub_name
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import InvalidRequest, ModelRefused
from sfd_core.families.registry import load_manifest
from sfd_core.request.reading import read
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.storage import PAUSE_SECONDS, once_there_is_room
from worker.causes import Cause, cause_of, of_an_end
from worker.child import training_process
from worker.lease import RETRY_SECONDS, Lease
from worker.publication import publication_of
from worker.task import EXIT_STOPPED, Task
from worker.telling import Telling

logger = logging.getLogger("lethe.worker")

POLL_SECONDS = 0.25
FULL_SECONDS = 15.0
"""What a worker waits after an attempt that found a disk full, before it claims another job."""
ASIDE_SECONDS = 2.0
"""What a worker waits after it has passed a message on, so that it is not the one that gets it again."""
PAIR_FOLDER = "parent"
"""Of an attempt: what its job goes on from."""
STOP_SECONDS = 45.0
"""What a process gets to write its checkpoint when it is asked to stop."""


class Runner:
    """The runner of jobs, one at a time. ``shutting_down`` is set when the worker was asked to stop. ``forks``: forks
    its training processes; without, each is started by exec. ``memory_bytes``: what its device has for a job; None: it
    takes every job."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        generators: GeneratorStore,
        artifacts: ArtifactStore,
        name: str,
        forks: ForkServer | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self.settings, self.store, self.generators, self.artifacts = settings, store, generators, artifacts
        self.name, self.forks = name, forks
        self.memory_bytes = memory_bytes
        self.models = settings.models()
        self.signer = settings.signer()
        self.shutting_down = threading.Event()
        self.full_until = 0.0
        """A disk of ours was full: until then we claim nothing, and others may."""

    def run(self) -> None:
        """Answer a wake-up message: claim the job whose turn it is and take it as far as it goes, if there is one."""
        if self.shutting_down.wait(max(0.0, self.full_until - time.monotonic())):
            return  # the message is lost, the job is not: the reaper sends another
        claim = self._claim()
        if claim is None:
            logger.info("nothing to claim")
            if self._passed_on():
                self.shutting_down.wait(ASIDE_SECONDS)
            return
        where = {"job": claim.job.id, "attempt": claim.attempt}
        logger.info("claimed", extra=where)
        try:
            Attempt(self, claim).run()
        except LeaseLost as lost:
            logger.warning("fenced off: %s", lost, extra=where)

    def _claim(self) -> Claim | None:
        """Claim a job, again until the database answers: a claim whose answer was lost is a job that nobody runs. Not
        for longer than such a claim would last."""
        began, again = time.monotonic(), False
        while True:
            try:
                return self.store.claim(
                    None, self.name, self.settings.lease_seconds, memory_bytes=self.memory_bytes, again=again
                )
            except DATABASE_ERRORS as error:
                if not is_away(error):
                    raise
                logger.warning("the database does not answer: %s", error)
            again = True
            if time.monotonic() - began > self.settings.lease_seconds or self.shutting_down.wait(RETRY_SECONDS):
                return None  # whatever became of it, the reaper brings the job back

    def _passed_on(self) -> bool:
        """Have another worker woken up in our place where the message was of a job that is too large for us."""
        try:
            return self.store.pass_on(self.memory_bytes)
        except DATABASE_ERRORS as error:
            logger.warning("the database does not answer: %s", error)
            return False


class Over(Exception):
    """An attempt that was cancelled or handed back: nothing is left to do."""


class Attempt:
    """One attempt at one job."""

    def __init__(self, runner: Runner, claim: Claim) -> None:
        self.runner, self.settings, self.store = runner, runner.settings, runner.store
        self.job, self.number = claim.job, claim.attempt
        self.work = self.settings.work_dir / self.job.id
        self.folder = self.work / f"attempt-{self.number}"
        self.parent: Generator | None = None
        self.lease = Lease(self.settings, self.store, self.job.id, self.number)
        self.telling = Telling(self.lease)

    def run(self) -> None:
        """Take the attempt to its end. Raises ``LeaseLost``."""
        try:
            self._run()
        except Over:
            pass
        except LeaseLost:
            raise
        except Exception as error:
            logger.exception("the attempt failed in the runner", extra={"job": self.job.id})
            self._give_up(cause_of(error, "internal"))

    def _run(self) -> None:
        try:
            model = self._model()
            self._fetch_parent()
        except (InvalidRequest, ModelRefused) as error:
            self._give_up(Cause("model_refused", f"on this worker: {error}"))
            return
        self._expect(model)
        cause = self._train(model, self.job.request)
        if cause is not None and cause.code == "out_of_memory":
            smaller = with_half_the_micro_batch(self.job.request, self.settings.gpus)
            if smaller is not None:
                logger.warning("%s: once more, with half the micro-batch", cause.message, extra={"job": self.job.id})
                cause = self._train(model, smaller)
        if cause is None:
            self._publish(model)
        else:
            self._give_up(cause)

    def _expect(self, model: BaseModel) -> None:
        """Tell what is left of the job from its first second on. Where that is not to be told the job runs all the
        same."""
        try:
            forecast = self._forecast(model)
        except Exception:
            logger.exception("what is left of the job cannot be told", extra={"job": self.job.id})
        else:
            self.telling.expect(forecast)

    def _forecast(self, model: BaseModel) -> Forecast:
        request = read(UnlearningRequest, self.job.request)
        work = Work.of(request, model.view_for(request.forget))
        try:
            known = self.store.known(self.job.base_model, self.runner.name)
        except DATABASE_ERRORS as error:
            logger.warning("what jobs took is not known: %s", error)
            known = Known(CPU, self.settings.gpus)
        return Forecast.of(work, known)

    def _train(self, model: BaseModel, request: JsonObject) -> Cause | None:
        """Run the training process, from the newest checkpoint. Returns why it failed; None: what it made is there.

        Raises:
            Over: the attempt ended otherwise.
        """
        self._write_task(model, request)
        kills = MemoryKills()
        while self.runner.forks is not None and not self.runner.forks.ready(POLL_SECONDS):
            if (cause := self._attend(None)) is not None:
                return cause
        with training_process(self.folder, self.runner.forks) as child:
            return self._supervise(child, kills)

    def _model(self) -> BaseModel:
        """What the job starts from. Of a hub's model only its folder is known: the training process fetches it.

        Raises:
            ModelRefused: for one that this worker does not have or refuses, or that has changed.
            InvalidRequest: for a hub's that it may not fetch.
        """
        name, settings = self.job.base_model, self.settings
        if not name.startswith(PREFIX):
            model = self.runner.models.get(name)
            if model is None:
                raise ModelRefused(self.runner.models.missing(name))
            if model.digest != self.job.base_model_digest:
                was = self.job.base_model_digest
                raise ModelRefused(f"base model {name} is {model.digest}, and was {was} when the job was submitted")
            return model
        model = hub_model(name, settings.hub_models)
        return dataclasses.replace(model, folder=hub_folder(settings.hub_dir, parse_hub_name(name)))

    def _fetch_parent(self) -> None:
        """Fetch what the job goes on from, where that is a published generator; its records go on with it.

        Raises:
            ModelRefused: it is there no more.
            Over: the attempt ended meanwhile.
        """
        if (said := self.job.request.get("parent")) is None:
            return
        try:
            self.parent = parent = self.runner.generators.get(said["generator"], self.job.tenant)
        except (Deleted, GeneratorNotFound):
            message = f"generator {said['generator']}, from which the job goes on, is there no more"
            raise ModelRefused(message) from None
        self.runner.artifacts.fetch(parent.prefix, parent.pair, self.folder / PAIR_FOLDER, self._while_fetching)

    def _while_fetching(self) -> None:
        """Attend to what is asked of the attempt between two pieces of what it fetches, which may take hours."""
        self.lease.moved()
        self._attend(None)

    def _write_task(self, model: BaseModel, request: JsonObject) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        earlier = [self.work / f"attempt-{n}" / "checkpoints" for n in range(self.number - 1, 0, -1)]
        Task(
            dict(request),
            str(model.folder),
            str(self.folder / "checkpoints"),
            [str(path) for path in earlier if path.is_dir()],
            self.settings.checkpoint_seconds,
            self.settings.device,
            self.settings.torch_threads,
            inception=_path(self.settings.inception_weights),
            clip=_path(self.settings.clip_weights),
            family=model.family,
            gpus=self.settings.gpus,
            shard=self.settings.shard,
            pair=None if self.parent is None else str(self.folder / PAIR_FOLDER),
            mark_images=self.settings.mark_images,
        ).write(self.folder)

    def _supervise(self, child: Talking, kills: MemoryKills) -> Cause | None:
        """Follow the process to its end, keeping the lease while it moves; as :meth:`_train`."""
        error: Cause | None = None
        done = False
        while True:
            try:
                event = child.next_event(POLL_SECONDS)
            except EOFError:
                break
            if event is not None:
                self.lease.moved()
                done = done or event["type"] == "done"
                told = self.telling.take(event)
                error = error or told  # the first: of several processes the others end because of it
            self.telling.tick()
            if (cause := self._attend(child)) is not None:
                return cause
        status = child.process.wait(STOP_SECONDS)
        if done and status == 0:
            return None
        if error is None:
            words = child.process.last_words()
            logger.error("training process ended with %s: %s", status, words, extra={"job": self.job.id})
            error = of_an_end(status, words, kills.any_more())
        return error

    def _attend(self, child: Talking | None) -> Cause | None:
        """Keep the lease, and see to what is asked of the attempt meanwhile. Returns why it has failed, if it has.

        Raises:
            Over: it ended otherwise.
        """
        if self.runner.shutting_down.is_set():
            if child is not None:
                self._let_it_stop(child)
            self._hand_back()
            raise Over
        if self.lease.cancel_requested():
            if child is not None:
                child.process.kill()
            self._stop()
            raise Over
        if self.lease.stalled():
            if child is not None:
                child.process.kill()
            return Cause("training_stalled", f"no progress for {self.settings.stall_seconds:g} s")
        return None

    def _let_it_stop(self, child: Talking) -> None:
        """A deploy: let the process write its checkpoint, before the job is handed back."""
        child.process.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while (status := child.process.wait(POLL_SECONDS)) is None and time.monotonic() < deadline:
            self.lease.moved()
            self.lease.cancel_requested()
        if status not in (EXIT_STOPPED, 0):
            logger.warning("training process did not stop in order (%s)", status, extra={"job": self.job.id})

    def _publish(self, model: BaseModel) -> None:
        self.telling.enter(Phase.PUBLISHING)
        if not model.files:  # of a hub: by now its files are here, and the record names them
            model = load_manifest(model.folder)
        trying = once_there_is_room(
            lambda: self._stored(model), self.runner.shutting_down, min(PAUSE_SECONDS, self.settings.renew_seconds)
        )
        try:
            while True:
                self.telling.wait("storage_full", next(trying).message)
                self.telling.tick()
                if self.lease.cancel_requested():
                    self._stop()
                    return
        except StopIteration as end:
            publication: Publication | None = end.value
        if publication is None:
            self._hand_back()
            return
        whole = publication
        job = self.lease.commit(lambda: self.store.publish(self.job.id, self.number, whole))
        logger.info("finished as %s", job.status, extra={"job": self.job.id, "verdict": job.verdict})
        self._clean_up()

    def _stored(self, model: BaseModel) -> Publication:
        return publication_of(
            self.runner.artifacts,
            self.job,
            self.number,
            model,
            self.folder,
            self.runner.signer,
            self._while_storing,
            self.parent,
        )

    def _while_storing(self) -> None:
        """Keep the lease between two pieces of what is stored. A deploy is no reason to stop: the work is done."""
        if self.lease.cancel_requested():
            self._stop()
            raise Over

    def _stop(self) -> None:
        """The job was cancelled."""
        self.lease.commit(lambda: self.store.cancelled(self.job.id, self.number))
        self._clean_up()

    def _hand_back(self) -> None:
        self.lease.commit(lambda: self.store.release(self.job.id, self.number))
        logger.info("released", extra={"job": self.job.id, "attempt": self.number})

    def _give_up(self, cause: Cause) -> None:
        error = JobError.of(cause.code, cause.message)
        if not JOB_ERRORS[error.code].counted:
            self.runner.full_until = time.monotonic() + FULL_SECONDS
        most = self.settings.max_failures
        job = self.lease.commit(lambda: self.store.give_up(self.job.id, self.number, error, most))
        logger.warning("%s: %s; the job is %s", error.code, error.message, job.status, extra={"job": self.job.id})
        if job.terminal:
            self._clean_up()

    def _clean_up(self) -> None:
        """The job is over: its checkpoints go. What was published lies in the artefact store."""
        shutil.rmtree(self.work, ignore_errors=True)


def with_half_the_micro_batch(request: JsonObject, gpus: int) -> JsonObject | None:
    """Return ``request`` with half of the images at a time that each of so many processes has now; None where that is
    one image."""
    recipe = request["recipe"]
    own = -(-recipe["batch"] // gpus)
    now = min(recipe["micro_batch"] or own, own)
    return None if now == 1 else {**request, "recipe": {**recipe, "micro_batch": now // 2}}


def _path(path: Path | None) -> str | None:
    """A path as JSON has it."""
    return str(path) if path else None
