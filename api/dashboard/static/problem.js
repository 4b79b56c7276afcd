// Sending a form's values to the API, and showing what it says is wrong beside the fields.

export async function post(path, body, headers = {}) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", ...headers },
      body: JSON.stringify(body),
    });
    const document = await answer.json();
    return { ok: answer.ok, status: answer.status, document };
  } catch {
    return { ok: false, status: 0, document: { title: "The service does not answer", detail: "Try again in a moment." } };
  }
}

export function clear(form, box) {
  box.hidden = true;
  box.replaceChildren();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-errormessage");
  }
  for (const message of form.querySelectorAll(".wrong")) message.remove();
}

export function show(form, box, problem) {
  const rest = [];
  let first = null;
  (problem.errors ?? []).forEach((error, i) => {
    const [field, within] = nearest(form, error.pointer);
    if (!field) {
      rest.push(`${error.pointer}: ${error.detail}`);
      return;
    }
    const message = document.createElement("p");
    message.className = "wrong";
    message.id = `wrong-${i}`;
    message.textContent = within.length ? `${within.join(" ")}: ${error.detail}` : sentence(error.detail);
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-errormessage", message.id);
    field.closest("details")?.setAttribute("open", "");
    if (field.tagName === "FIELDSET") field.append(message);
    else field.after(message);
    first ??= field;
  });
  const heading = document.createElement("strong");
  heading.textContent = problem.errors ? "Please look at the marked fields." : `${problem.title}.`;
  box.replaceChildren(heading);
  if (!problem.errors && problem.detail && problem.detail !== problem.title) box.append(" ", sentence(problem.detail));
  if (rest.length) {
    const list = document.createElement("ul");
    for (const line of rest) list.append(Object.assign(document.createElement("li"), { textContent: line }));
    box.append(list);
  }
  box.hidden = false;
  (first ?? box).focus?.();
}

// The field that a pointer means, or the nearest around it, with the way from there: of a list, which entry.
function nearest(form, pointer) {
  const parts = pointer.split("/");
  for (let end = parts.length; end > 1; end -= 1) {
    const field = form.querySelector(`[data-pointer="${CSS.escape(parts.slice(0, end).join("/"))}"]`);
    const within = parts.slice(end).map((part) => (/^\d+$/.test(part) ? `number ${Number(part) + 1}` : part));
    if (field && !field.closest("[hidden]")) return [field, field.tagName === "FIELDSET" ? within : within.slice(-1)];
  }
  return [null, []];
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

// A number as it was typed, or the text itself where it is none, or none that JavaScript can hold: the API then says
// what is wrong with it.
export function numeric(text) {
  const value = Number(text);
  const exact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  return text.trim() !== "" && exact ? value : text;
}
