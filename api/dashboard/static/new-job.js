// The form for a new job. What is right, the API decides: the form only puts its answer beside the fields.

import * as classes from "./forget-classes.js";
import * as words from "./forget-words.js";
import { clear, numeric, post, show } from "./problem.js";

const form = document.getElementById("new-job");
const box = document.getElementById("problem");
const rows = document.getElementById("forget");
const model = document.getElementById("base_model");
const revision = document.getElementById("revision");
const models = JSON.parse(document.getElementById("models").textContent);
const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const begun = JSON.parse(document.getElementById("like")?.textContent ?? "null");
let tries = 0;

function chosen() {
  return models.find((each) => each.name === model.value);
}

function kind() {
  return chosen().text ? words : classes;
}

function add() {
  const row = kind().make(chosen(), rows);
  row.querySelector(".remove").addEventListener("click", () => {
    row.remove();
    number();
    warn();
    document.getElementById("add").focus();
  });
  rows.append(row);
  number();
  warn();
  return row.querySelector("[data-name]");
}

// Each field has the pointer that the API would name it by, and a label of its own.
function number() {
  [...rows.children].forEach((row, i) => {
    for (const field of row.querySelectorAll("[data-field]")) {
      field.id = `${field.classList[0]}-${i}`;
      field.closest(".field").querySelector("label").htmlFor = field.id;
      if (field.dataset.name) field.dataset.pointer = `/forget/${i}/${field.dataset.name}`;
      else delete field.dataset.pointer;
    }
  });
}

// What belongs to models of one kind alone is there for these alone; the rest begins anew.
function fit() {
  const { text, hub, judged, images } = chosen();
  for (const each of form.querySelectorAll("[data-only]")) each.hidden = (each.dataset.only === "text") !== text;
  revision.closest(".field").hidden = !hub;
  // Without a judge there is nothing to check in training: it always uses its budget.
  document.getElementById("until").closest(".field").hidden = !judged;
  document.getElementById("images").placeholder = images;
  document.getElementById("known").replaceChildren(...chosen().concepts.map((name) => new Option(name)));
  rows.replaceChildren();
  add();
}

// What the base model's own images hardly show cannot be decided: said before the job is there.
function warn() {
  const of = chosen().warnings;
  const said = new Set([...rows.children].flatMap((row) => of[kind().read(row).concept] ?? []));
  const box = document.getElementById("warnings");
  box.replaceChildren(...Array.from(said, (text) => Object.assign(document.createElement("p"), { textContent: text })));
  box.hidden = said.size === 0;
}

// A time as a field has it, by this browser's clock.
function local(time) {
  return new Date(time - time.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

// The fields as an earlier job's request has them.
function fill(request) {
  const [name, commit] = request.base_model.split("@");
  model.value = name;
  revision.value = commit ?? "";
  if (!chosen()) model.selectedIndex = 0; // it is registered no more
  fit();
  rows.replaceChildren();
  for (const item of request.forget) {
    add();
    kind().fill(rows.lastElementChild, item);
  }
  warn();
  for (const field of form.querySelectorAll("[data-kind]")) {
    const [, group, name] = field.dataset.pointer.split("/");
    const value = name ? request[group]?.[name] : request[group];
    if (field.dataset.kind === "flag") field.checked = value;
    else if (field.dataset.kind === "time") field.value = value ? local(new Date(value)) : "";
    else field.value = (field.dataset.kind === "lines" ? value?.join("\n") : value) ?? "";
  }
  for (const box of form.querySelectorAll("#probes input")) box.checked = request.evaluation.probes.includes(box.value);
}

// Where it begins: a job that goes on from a generator shows the base model that this came from.
function began() {
  if (begun?.parent && model.value === begun.request.base_model) return begun.parent;
  return chosen().hub ? `${model.value}@${revision.value.trim()}` : model.value;
}

function body() {
  const made = {
    ...(begun && { like: begun.like, ...begun.beside }),
    base_model: began(),
    forget: [...rows.children].map(kind().read),
  };
  for (const field of form.querySelectorAll("[data-kind]")) {
    if (field.closest("[hidden]")) continue;
    const [, group, name] = field.dataset.pointer.split("/");
    const text = field.value.trim();
    if (begun && !text && field.dataset.kind !== "flag") {
      // Emptied, or never filled: what the job before said is none of this one's.
      if (name && field.dataset.kind !== "lines") (made[group] ??= {})[name] = null;
      else made[group] = null;
    } else if (field.dataset.kind === "text") {
      if (text) (made[group] ??= {})[name] = text;
    } else if (field.dataset.kind === "time") {
      // As this browser's clock reads it; the API takes no time without its offset.
      if (text) (made[group] ??= {})[name] = new Date(text).toISOString();
    } else if (field.dataset.kind === "flag") {
      (made[group] ??= {})[name] = field.checked;
    } else if (field.dataset.kind === "lines") {
      if (text) (made[group] ??= {})[name] = words.lines(text);
    } else if (text) {
      if (name) (made[group] ??= {})[name] = numeric(text);
      else made[group] = numeric(text);
    }
  }
  const probes = Array.from(form.querySelectorAll("#probes input:checked")).filter((each) => !each.closest("[hidden]"));
  if (probes.length || begun) (made.evaluation ??= {}).probes = probes.map((each) => each.value);
  return made;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear(form, box);
  const button = document.getElementById("submit");
  button.disabled = true;
  // One key for one form: a double click or a broken connection cannot make two jobs. A refusal frees it.
  const { ok, status, document: answer } = await post("/v1/jobs", body(), { "idempotency-key": `${key}-${tries}` });
  if (ok) {
    location.assign(`/jobs/${answer.id}`);
    return;
  }
  if (status >= 400 && status < 500) tries += 1;
  button.disabled = false;
  show(form, box, answer);
});

document.getElementById("estimate").addEventListener("click", async () => {
  clear(form, box);
  const shown = document.getElementById("estimated");
  shown.hidden = true;
  try {
    const answer = await fetch("/parts/estimate", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body()),
    });
    if (!answer.ok) {
      show(form, box, await answer.json());
      return;
    }
    shown.innerHTML = await answer.text();
    shown.hidden = false;
  } catch {
    show(form, box, { title: "The service does not answer", detail: "Try again in a moment." });
  }
});

document.getElementById("add").addEventListener("click", () => add().focus());
rows.addEventListener("changed", number);
rows.addEventListener("input", warn);
model.addEventListener("change", fit);
fit();
if (begun) fill(begun.request);
for (const button of form.querySelectorAll("button")) button.disabled = false;
