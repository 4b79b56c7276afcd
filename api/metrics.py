"""Prometheus metrics: what this process answered, and what the whole service has to do, asked when scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.logs import log
from jobs.states import Status
from jobs.storage import Stored

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60)


class Metrics:
    """The metrics of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "lethe_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._latency = Histogram(
            "lethe_http_request_seconds",
            "From a request's arrival to the first byte of its answer.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.streams = Gauge("lethe_event_streams", "Event streams that are open.", registry=self.registry)
        self.submitted = Counter("lethe_jobs_submitted", "Jobs accepted by this process.", registry=self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(method, route).observe(seconds)

    def watch(
        self,
        jobs_by_status: Callable[[], Mapping[Status, int]],
        outbox_backlog: Callable[[], int],
        undelivered: Callable[[], tuple[int, float]],
        storage: Callable[[], Mapping[str, Stored]],
        queue_length: Callable[[], int],
    ) -> None:
        """Ask these whenever the metrics are read. One that fails is left out, and ``lethe_up`` says so."""
        self.registry.register(_Service(jobs_by_status, outbox_backlog, undelivered, storage, queue_length))

    def text(self) -> bytes:
        """Write all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Service(Collector):
    """The state of the whole service at the time of the scrape."""

    def __init__(
        self,
        jobs_by_status: Callable[[], Mapping[Status, int]],
        outbox_backlog: Callable[[], int],
        undelivered: Callable[[], tuple[int, float]],
        storage: Callable[[], Mapping[str, Stored]],
        queue_length: Callable[[], int],
    ) -> None:
        self._jobs_by_status = jobs_by_status
        self._outbox_backlog = outbox_backlog
        self._undelivered = undelivered
        self._storage = storage
        self._queue_length = queue_length

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering asks neither database nor broker."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges that could be read now."""
        up = GaugeMetricFamily("lethe_up", "Whether a part answered this scrape.", labels=["part"])
        jobs = GaugeMetricFamily("lethe_jobs", "Jobs of all tenants.", labels=["status"])
        backlog = GaugeMetricFamily("lethe_outbox_backlog", "Messages written but not yet sent to the broker.")
        untold = GaugeMetricFamily("lethe_webhook_backlog", "Deliveries to webhooks that were not delivered yet.")
        oldest = GaugeMetricFamily("lethe_webhook_oldest_seconds", "For how long the oldest of them has waited.")
        stored = GaugeMetricFamily("lethe_stored_bytes", "Bytes that all tenants have stored.", labels=["kind"])
        queue = GaugeMetricFamily("lethe_queue_length", "Messages that wait in the broker for a worker.")

        def database() -> None:
            for status, count in self._jobs_by_status().items():
                jobs.add_metric([str(status)], count)
            backlog.add_metric([], self._outbox_backlog())
            count, seconds = self._undelivered()
            untold.add_metric([], count)
            oldest.add_metric([], seconds)
            for kind, of_it in self._storage().items():
                stored.add_metric([kind], of_it.bytes)

        def broker() -> None:
            queue.add_metric([], self._queue_length())

        for part, read in (("database", database), ("broker", broker)):
            try:
                read()
            except Exception as error:  # noqa: BLE001 - a scrape must not fail because the service is degraded
                log.warning("metrics_incomplete", part=part, error=type(error).__name__)
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
        yield from (up, jobs, backlog, untold, oldest, stored, queue)
