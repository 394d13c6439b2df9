"use strict";
// The page asks its own server only. Whatever comes from data is set as text, never as markup.

const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a800",
  "#7f56c5", "#8a5a2b", "#6b7683"];
const KEYS = "1234567890";
const NO_CLASS = 255;
const $ = (id) => document.getElementById(id);
let state = null, plane = null, busy = false;

const colour = (i) => COLOURS[i % COLOURS.length];
const percent = (share) => `${Math.round(100 * share)} %`;

function make(name, text, options = {}) {
  const node = Object.assign(document.createElement(name), options);
  if (text !== undefined) node.textContent = text;
  return node;
}

async function ask(path, said) {
  const options = said === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The program that shows this page has ended. What you labelled is on disk; " +
      "start it again to go on.");
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function complain(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

async function act(path, said, words) {
  if (busy) return;
  busy = true;
  try {
    state = { ...state, ...await ask(path, said) };
    complain("");
    show();
    $("said").textContent = words(state);
  } catch (error) {
    complain(error.message);
  } finally {
    busy = false;
  }
}

const nextRow = () => state.row ? `Next: row ${state.row.number}.` : "All rows are done.";

function label(name) {
  if (!state.row || !name) return;
  const row = state.row.number;
  act("label", { row, label: name }, () => `Row ${row} is ${name}. ${nextRow()}`);
}
function skip() {
  if (!state.row) return;
  const row = state.row.number;
  act("skip", { row }, () => `Row ${row} skipped. ${nextRow()}`);
}
const undo = () => act("undo", {}, () => `Taken back. Row ${state.row.number} is shown again.`);

function picture(row, small) {
  const image = make("img", undefined, { alt: `row ${row.number}`, src: `picture/${row.number}` });
  // Enlarged, but not until nothing can be recognised any more.
  if (!small) image.addEventListener("load", () => {
    image.style.maxWidth = `${28 * image.naturalWidth}px`;
  });
  image.addEventListener("error", () => image.replaceWith(
    make("span", small ? "" : "This image cannot be shown.")));
  return image;
}

function table(row) {
  const found = make("table");
  const body = found.createTBody();
  for (const cell of row.cells) {
    const line = body.insertRow();
    line.append(make("th", cell.name, { scope: "row" }));
    line.append(make("td", cell.value, { className: "number" }));
    line.append(make("td", cell.unusual ? "unusual" : ""));
    line.classList.toggle("unusual", cell.unusual);
  }
  if (row.left_out) found.createCaption().textContent = `${row.left_out} usual cells are left out`;
  return found;
}

function showRow() {
  const row = state.row;
  $("row-title").textContent = !row ? "All rows are done"
    : `Row ${row.number}${row.title ? `: ${row.title}` : ""}` +
      (state.check ? " (drawn at random, to check)" : "");
  if (!row) $("row").replaceChildren(make("p", "Finish and save, or undo the last answer."));
  else if (row.kind === "image") $("row").replaceChildren(picture(row, false));
  else if (row.kind === "text") $("row").replaceChildren(
    make("p", row.text + (row.cut ? " …" : ""), { className: "text" }));
  else $("row").replaceChildren(table(row));
  $("row").scrollTop = 0;
}

function dot(i) {
  const found = make("span", undefined, { className: "dot" });
  found.style.background = colour(i);
  return found;
}

function showClasses() {
  const focused = document.activeElement?.dataset?.name;
  $("classes").replaceChildren(...state.classes.map((one, i) => {
    const button = make("button", undefined, { type: "button", disabled: !state.row });
    button.dataset.name = one.name;
    button.append(dot(i), make("span", one.name));
    if (i < KEYS.length) {
      button.append(make("kbd", KEYS[i]));
      button.setAttribute("aria-keyshortcuts", KEYS[i]);
    }
    button.addEventListener("click", () => label(one.name));
    return button;
  }));
  if (focused !== undefined) {
    [...$("classes").children].find((b) => b.dataset.name === focused)?.focus();
  }
  $("shares").tBodies[0].replaceChildren(...state.classes.map((one, i) => {
    const line = make("tr");
    const name = make("th", undefined, { scope: "row" });
    name.append(dot(i), ` ${one.name}`);
    const bar = make("span", undefined, { className: "bar" });
    bar.style.width = `${6 * one.share}rem`;
    bar.style.background = colour(i);
    const share = make("td");
    share.append(bar, state.estimate ? percent(one.share) : "–");
    line.append(name, make("td", one.labelled), share);
    return line;
  }));
}

function showEstimate() {
  const found = state.estimate;
  const shown = $("estimate");
  if (!found) {
    shown.textContent = "Label rows of two classes, and all others are read from them.";
    return;
  }
  shown.replaceChildren("About ", make("strong", percent(found.share)),
    ` of all rows are read right (${percent(found.low)} to ${percent(found.high)}). `,
    make("span", found.checked
      ? `Rows drawn at random: ${found.checked}, read right before you answered: ${found.hits}.`
      : "So the reading itself believes; rows drawn at random will check it.",
    { className: "quiet" }));
}

function showUnsure() {
  const rows = state.unsure.map((row) => {
    const line = make("li");
    if (row.kind === "image") line.append(picture(row, true));
    const short = row.kind === "text" ? `“${row.text.slice(0, 70)}” ` : "";
    line.append(make("span", `Row ${row.number}: ${short}${row.first} or ${row.second} ` +
      `(${percent(row.sure)} sure)`));
    return line;
  });
  $("unsure").replaceChildren(...rows.length ? rows
    : [make("li", "Nothing is read yet.", { className: "quiet" })]);
  $("story").textContent = state.story || "Not at all yet: labels of two classes are needed.";
}

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function showMap() {
  if (!plane) return;
  const canvas = $("map"), box = canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
  canvas.width = box.width * ratio;
  canvas.height = box.height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink"), line = style.getPropertyValue("--line");
  const edge = 14;
  const at = (i) => [edge + plane.x[i] / 1000 * (box.width - 2 * edge),
    edge + plane.y[i] / 1000 * (box.height - 2 * edge)];
  const read = bytes(state.read), sure = bytes(state.sure);
  const size = plane.x.length > 3000 ? 1.6 : plane.x.length > 600 ? 2.4 : 3.5;
  const spot = (i, radius) => {
    pen.beginPath();
    pen.arc(...at(i), radius, 0, 7);
  };
  for (let i = 0; i < plane.x.length; i++) {
    const known = read[i] !== NO_CLASS;
    pen.globalAlpha = known ? 0.12 + 0.88 * (sure[i] / 255) ** 2 : 0.6;
    pen.fillStyle = known ? colour(read[i]) : line;
    spot(i, size);
    pen.fill();
  }
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.strokeStyle = ink;
  for (const i of state.labels) {
    spot(i, size + 2.5);
    pen.stroke();
  }
  if (state.row) {
    const [x, y] = at(state.row.number);
    pen.lineWidth = 2.5;
    pen.beginPath();
    for (const [dx, dy] of [[9, 0], [0, 9]]) {
      pen.moveTo(x - dx, y - dy);
      pen.lineTo(x + dx, y + dy);
    }
    pen.stroke();
  }
  canvas.setAttribute("aria-label", `Map of ${state.rows} rows, ${state.labelled} of them ` +
    "labelled; the table of classes says the same in words");
}

function show() {
  $("title").textContent = `Label ${state.title}`;
  document.title = `Label ${state.title}`;
  $("progress").textContent = `${state.labelled} of ${state.rows} rows labelled` +
    (state.skipped ? `, ${state.skipped} skipped` : "");
  $("skip").disabled = !state.row;
  $("undo").disabled = !(state.labelled + state.skipped);
  showRow();
  showClasses();
  showEstimate();
  showUnsure();
  showMap();
  document.body.dataset.labelled = state.labelled;
}

async function finish() {
  if (busy) return;
  busy = true;
  try {
    const found = await ask("finish", {});
    complain("");
    $("row-title").textContent = "Saved";
    $("row").replaceChildren(...found.files.map((name) => make("p", name)));
    $("said").textContent = "Saved. This page can be closed.";
    for (const node of document.querySelectorAll("button, input")) node.disabled = true;
    $("row-title").focus();
  } catch (error) {
    complain(error.message);
    busy = false;
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !state || event.repeat) return;
  if (event.target === $("name")) {
    if (event.key === "Escape") $("row-title").focus();
    return;
  }
  const number = KEYS.indexOf(event.key);
  if (number >= 0 && number < state.classes.length) label(state.classes[number].name);
  else if (event.key === "s") skip();
  else if (event.key === "u" && !$("undo").disabled) undo();
  else if (event.key === "n") {
    event.preventDefault();
    $("name").focus();
  }
});
$("new").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  $("name").value = "";
  $("row-title").focus();
  label(name);
});
$("skip").addEventListener("click", skip);
$("undo").addEventListener("click", undo);
$("finish").addEventListener("click", finish);
addEventListener("resize", showMap);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showMap);

(async () => {
  try {
    state = await ask("state");
    show();
    plane = await ask("map");
    showMap();
    document.body.dataset.ready = "yes";
  } catch (error) {
    complain(error.message);
  }
})();
