// A row of the form for a new job: one concept to forget of a text-to-image model, by its words.

// What stands beside each way to answer instead: which field of the row, if any, and what it is called.
const INSTEAD = {
  words: ["line", "Words in its place"],
  random: [null, ""],
  negative: ["line", "Away from"],
  prompts: ["lines", "Prompts, one a line"],
  empty: [null, ""],
};

export function lines(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

export function make(model) {
  const row = document.getElementById("row-of-words").content.cloneNode(true).firstElementChild;
  const how = row.querySelector(".how");
  const shown = () => {
    const [field, label] = INSTEAD[how.value];
    for (const each of row.querySelectorAll(".instead")) {
      each.hidden = !each.classList.contains(`of-${field}`);
      each.querySelector("label").textContent = each.hidden ? "" : label;
    }
    const override = row.querySelector(".instead:not([hidden]) [data-field]") ?? how;
    for (const each of row.querySelectorAll("[data-field='override']")) each.removeAttribute("data-name");
    override.dataset.name = "override";
    row.dispatchEvent(new Event("changed", { bubbles: true }));
  };
  // Another of its own kind can be drawn only in the place of what the model knows.
  how.querySelector("[value='random']").disabled = model.concepts.length === 0;
  how.addEventListener("change", shown);
  shown();
  return row;
}

export function read(row) {
  const at = (name) => row.querySelector(`.${name}`).value;
  const instead = {
    words: () => at("line").trim(),
    random: () => ({ random: true }),
    negative: () => ({ negative: at("line").trim() }),
    prompts: () => ({ prompts: lines(at("lines")) }),
    empty: () => ({ empty: true }),
  };
  const item = { concept: at("concept").trim(), override: instead[at("how")]() };
  const words = at("words").split(",").map((word) => word.trim()).filter(Boolean);
  if (words.length) item.words = words;
  const prompts = lines(at("prompts"));
  if (prompts.length) item.prompts = prompts;
  return item;
}
