// The form for a new job. What is right, the API decides: the form only puts its answer beside the fields.

import { clear, numeric, post, show } from "./problem.js";

const form = document.getElementById("new-job");
const box = document.getElementById("problem");
const rows = document.getElementById("forget");
const model = document.getElementById("base_model");
const models = JSON.parse(document.getElementById("models").textContent);
const OTHERS = [["random", "A random remaining concept"], ["judge", "The judge’s choice"]];
const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
let tries = 0;

function concepts() {
  return models.find((each) => each.name === model.value)?.concepts ?? [];
}

function fill(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

function add() {
  const row = document.getElementById("row").content.cloneNode(true).firstElementChild;
  const names = concepts();
  const taken = new Set(Array.from(rows.querySelectorAll("select"), (each) => each.value));
  const free = names.filter((name) => !taken.has(`=${name}`));
  const [concept, override] = row.querySelectorAll("select");
  fill(concept, names.map((name) => [`=${name}`, name]));
  fill(override, [...names.map((name) => [`=${name}`, name]), ...OTHERS]);
  concept.value = `=${free[0] ?? names[0]}`;
  override.value = free[1] ? `=${free[1]}` : "random";
  row.querySelector(".remove").addEventListener("click", () => {
    row.remove();
    number();
    document.getElementById("add").focus();
  });
  rows.append(row);
  number();
  return concept;
}

// Each field has the pointer that the API would name it by, and a label of its own.
function number() {
  [...rows.children].forEach((row, i) => {
    row.querySelectorAll("select").forEach((select, j) => {
      const name = ["concept", "override"][j];
      select.id = `${name}-${i}`;
      select.dataset.pointer = `/forget/${i}/${name}`;
      select.previousElementSibling.htmlFor = select.id;
    });
  });
}

function body() {
  const made = {
    base_model: model.value,
    forget: [...rows.children].map((row) => {
      const [concept, override] = row.querySelectorAll("select");
      const value = override.value;
      return { concept: concept.value.slice(1), override: value.startsWith("=") ? value.slice(1) : { [value]: true } };
    }),
  };
  for (const field of form.querySelectorAll("[data-kind]")) {
    const [, group, name] = field.dataset.pointer.split("/");
    const { kind } = field.dataset;
    const text = field.value.trim();
    if (kind === "ticket") {
      if (text) made.metadata = { ticket: text };
    } else if (kind === "flag") {
      (made[group] ??= {})[name] = field.checked;
    } else if (text) {
      if (name) (made[group] ??= {})[name] = numeric(text);
      else made[group] = numeric(text);
    }
  }
  const probes = form.querySelectorAll("#probes input:checked");
  if (probes.length) (made.evaluation ??= {}).probes = Array.from(probes, (each) => each.value);
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

document.getElementById("add").addEventListener("click", () => add().focus());
model.addEventListener("change", () => {
  rows.replaceChildren();
  add();
});
add();
