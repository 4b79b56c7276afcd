// A job's page follows its event stream: each event has the server draw again what changes, so that what is shown
// live and what is shown on a reload are made by one piece of code.

const TYPES = ["queued", "started", "phase", "progress", "metrics", "checkpoint", "released", "lost", "retried",
  "cancelling", "cancelled", "failed", "succeeded"].map((name) => `job.${name}`);
const PAUSE = 250; // milliseconds: events that come together are drawn together
const live = document.getElementById("live");
const announcement = document.getElementById("announcement");
let drawing = false;
let stale = false;

function said() {
  return live.querySelector("[data-announce]");
}

async function draw() {
  if (drawing) {
    stale = true;
    return;
  }
  drawing = true;
  do {
    stale = false;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    const answer = await fetch(`/parts/jobs/${live.dataset.job}`, { headers: { accept: "text/html" } }).catch(() => null);
    if (answer?.ok && !answer.redirected) show(await answer.text());
  } while (stale);
  drawing = false;
}

function show(html) {
  const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
  const before = said().dataset.announce;
  const scrolled = live.querySelector(".timeline")?.scrollTop ?? 0;
  live.innerHTML = html;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const timeline = live.querySelector(".timeline");
  if (timeline) timeline.scrollTop = scrolled;
  if (said().dataset.announce !== before) announcement.textContent = said().dataset.announce;
}

if (said().dataset.over === "no") {
  const source = new EventSource(`/v1/jobs/${live.dataset.job}/events?after=${live.dataset.seen}`);
  for (const type of TYPES) {
    source.addEventListener(type, () => {
      draw().then(() => {
        if (said().dataset.over === "yes") source.close();
      });
    });
  }
}
