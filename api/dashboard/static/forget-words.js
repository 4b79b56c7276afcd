// A row of the form for a new job: one concept to forget of a text-to-image model, by its words.

export function lines(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

export function make(model) {
  const row = document.getElementById("row-of-words").content.cloneNode(true).firstElementChild;
  const how = row.querySelector(".how");
  const shown = () => {
    const { takes, beside } = how.selectedOptions[0].dataset;
    for (const each of row.querySelectorAll(".instead")) {
      each.hidden = !each.classList.contains(`of-${takes}`);
      each.querySelector("label").textContent = each.hidden ? "" : beside;
    }
    const override = row.querySelector(".instead:not([hidden]) [data-field]") ?? how;
    for (const each of row.querySelectorAll("[data-field='override']")) each.removeAttribute("data-name");
    override.dataset.name = "override";
    row.dispatchEvent(new Event("changed", { bubbles: true }));
  };
  // Another of its own kind can be drawn only in the place of what the model knows.
  for (const each of how.querySelectorAll("[data-needs-others]")) each.disabled = model.concepts.length === 0;
  how.addEventListener("change", shown);
  shown();
  return row;
}

const SHOWN = ["concept", "override", "words", "prompts", "outside_vocabulary"];

export function fill(row, item) {
  // What a row has no field for, such as a topic, goes along as it is.
  row.beside = Object.fromEntries(Object.entries(item).filter(([name]) => !SHOWN.includes(name)));
  const at = (name) => row.querySelector(`.${name}`);
  const [key, value] = typeof item.override === "string" ? ["", item.override] : Object.entries(item.override)[0];
  at("concept").value = item.concept;
  at("how").value = key;
  at("how").dispatchEvent(new Event("change"));
  if (Array.isArray(value)) at("lines").value = value.join("\n");
  else if (typeof value === "string") at("line").value = value;
  at("words").value = (item.words ?? []).join(", ");
  at("prompts").value = (item.prompts ?? []).join("\n");
  at("outside").checked = item.outside_vocabulary ?? false;
}

export function read(row) {
  const at = (name) => row.querySelector(`.${name}`).value;
  const instead = {
    nothing: () => true,
    line: () => at("line").trim(),
    lines: () => lines(at("lines")),
  };
  const how = row.querySelector(".how");
  const value = instead[how.selectedOptions[0].dataset.takes]();
  // Words alone are no object: they have no key.
  const override = how.value ? { [how.value]: value } : value;
  const item = { ...row.beside, concept: at("concept").trim(), override };
  const words = at("words").split(",").map((word) => word.trim()).filter(Boolean);
  if (words.length) item.words = words;
  const prompts = lines(at("prompts"));
  if (prompts.length) item.prompts = prompts;
  if (row.querySelector(".outside").checked) item.outside_vocabulary = true;
  return item;
}
