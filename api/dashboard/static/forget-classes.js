// A row of the form for a new job: one class to forget of a class-conditional model.

function choices(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

export function make(model, rows) {
  const row = document.getElementById("row-of-class").content.cloneNode(true).firstElementChild;
  const names = model.concepts;
  const taken = new Set(Array.from(rows.querySelectorAll("select"), (each) => each.value));
  const free = names.filter((name) => !taken.has(`=${name}`));
  const [concept, override] = row.querySelectorAll("select");
  choices(concept, names.map((name) => [`=${name}`, name]));
  const others = [...override.options]; // what the template has: the overrides that name no concept
  override.prepend(...names.map((name) => new Option(name, `=${name}`)));
  concept.value = `=${free[0] ?? names[0]}`;
  override.value = free[1] ? `=${free[1]}` : others[0].value;
  return row;
}

export function fill(row, { concept, override }) {
  const [named, instead] = row.querySelectorAll("select");
  named.value = `=${concept}`;
  instead.value = typeof override === "string" ? `=${override}` : Object.keys(override)[0];
}

export function read(row) {
  const [concept, override] = row.querySelectorAll("select");
  const value = override.value;
  return { concept: concept.value.slice(1), override: value.startsWith("=") ? value.slice(1) : { [value]: true } };
}
