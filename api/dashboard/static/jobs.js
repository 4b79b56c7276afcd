// The table of jobs refreshes itself while somebody looks at it.

const EVERY = 2000; // milliseconds
const part = document.getElementById("jobs");

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(part.dataset.part + location.search, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const html = await answer.text();
  if (html === part.shown) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.shown = html;
  part.innerHTML = html;
  if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

setInterval(() => refresh().catch(() => {}), EVERY); // a service that is away for a moment is asked again
document.addEventListener("visibilitychange", () => refresh().catch(() => {}));
