// Draws samples of a generator and shows them with the seed of each.

import { clear, numeric, post, show } from "./problem.js";

const form = document.getElementById("samples");
const box = document.getElementById("problem");
const images = document.getElementById("images");
const drawn = document.getElementById("drawn");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear(form, box);
  const button = document.getElementById("draw");
  const asked = form.querySelector("#concept, #prompt");
  const body = { [asked.id]: asked.value, n: numeric(form.querySelector("#n").value), format: "json" };
  const seed = form.querySelector("#seed").value.trim();
  if (seed) body.seed = numeric(seed);
  button.disabled = true;
  drawn.textContent = "Drawing…";
  const began = performance.now();
  const { ok, document: answer } = await post(`/v1/generators/${form.dataset.generator}/samples`, body);
  button.disabled = false;
  if (!ok) {
    drawn.textContent = "";
    show(form, box, answer);
    return;
  }
  images.replaceChildren(...answer.images.map((image) => {
    const item = document.createElement("li");
    const picture = new Image();
    picture.src = `data:image/png;base64,${image.png_base64}`;
    picture.alt = `${asked.value}, seed ${image.seed}`;
    picture.title = picture.alt;
    item.append(picture, String(image.seed));
    return item;
  }));
  const count = answer.images.length;
  drawn.textContent = `${count} ${count === 1 ? "image" : "images"} of ${asked.value}, seed ${answer.seed}, in ${Math.round(performance.now() - began)} ms.${answer.forgotten ? " It names what this generator has forgotten." : ""}`;
});
document.getElementById("draw").disabled = false;
