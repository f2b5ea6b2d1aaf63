// The design room. Every size, formula and fix comes from the server; nothing is computed here.
import { ask, byId, latest, make, pretty, svg, thousands, times, toast } from "./parts.js";
import { drops, knows, say } from "./words.js";

const state = { design: null, derived: null, domain: null, open: null, opening: null, puzzle: false, seen: new Set(), dragged: null, fixed: null };
const deriving = latest(), solving = latest();

export function begin(opening) {
  state.opening = opening;
  for (const [id, place] of [["size-c", 0], ["size-h", 1], ["size-w", 2]]) {
    const field = byId(id);
    field.max = place ? opening.limits.side : opening.limits.channels;
    field.addEventListener("input", () => {
      const value = Number(field.value);
      if (Number.isInteger(value) && value >= 1 && value <= field.max) change((design) => { design.input[place] = value; });
    });
  }
  byId("preset").addEventListener("change", (event) => { if (opening.presets[event.target.value]) load(event.target.value); });
  byId("kind").replaceChildren(...Object.keys(opening.kinds).map((kind) => make("option", { value: kind }, kind)));
  byId("add").addEventListener("click", add);
  byId("copy-code").addEventListener("click", () => copy(state.derived?.code ?? ""));
  byId("copy-link").addEventListener("click", () => copy(location.origin + "/" + hash()));
  window.addEventListener("hashchange", () => { if (location.hash.startsWith("#design=") && location.hash !== hash()) restored(location.hash); });
}

export function entered() {
  if (!state.design) load("mistake");
  else history.replaceState(null, "", hash());
}

export function spoken() {
  if (!state.opening) return;
  const chosen_ = byId("preset").value || "mistake";
  const names = { mistake: say("mistake"), custom: say("custom") };
  byId("preset").replaceChildren(...[...Object.keys(state.opening.presets), "custom"].map((name) => make("option", { value: name }, names[name] ?? name)));
  byId("preset").value = chosen_;
  render();
}

function hash() {
  const text = JSON.stringify(state.design);
  return "#design=" + btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function restored(text) {
  if (!text.startsWith("#design=")) return;
  try {
    const design = JSON.parse(atob(text.slice(8).replaceAll("-", "+").replaceAll("_", "/")));
    if (!Array.isArray(design.input) || !Array.isArray(design.layers)) throw new Error("no design");
    state.design = design;
    state.puzzle = false;
    byId("preset").value = "custom";
    derive();
  } catch {
    toast(say("unusedlink"));
  }
}

function load(name) {
  state.design = structuredClone(state.opening.presets[name]);
  Object.assign(state, { open: null, puzzle: name === "mistake", seen: new Set(), fixed: null, derived: null });
  byId("preset").value = name;
  derive();
}

function change(edit) {
  const design = structuredClone(state.derived?.design ?? state.design);
  edit(design);
  state.design = design;
  if (!state.puzzle) byId("preset").value = "custom";
  derive();
}

async function derive() {
  const asked = state.design;
  const found = await deriving("/api/design", asked);
  if (asked !== state.design) return;  // something newer was asked since
  if (!found) {
    // refused: back to the last one that was not
    if (state.derived) state.design = state.derived.design;
    else if (byId("preset").value !== "mistake") load("mistake");
    return;
  }
  state.derived = found;
  state.domain = null;
  if (!byId("design").hidden) history.replaceState(null, "", hash());
  render();
  // the domain takes longest: solved once the reader has stopped changing things
  if (!state.puzzle) setTimeout(() => solve(asked), 300);
}

async function solve(asked) {
  if (asked !== state.design) return;
  const found = await solving("/api/domain", asked);
  if (asked !== state.design) return;
  state.domain = found;
  summary();
}

function render() {
  const { design, derived } = state;
  if (!derived) return;
  ["size-c", "size-h", "size-w"].forEach((id, place) => { if (document.activeElement !== byId(id)) byId(id).value = derived.design.input[place]; });
  const focused = document.activeElement?.dataset?.key;
  byId("layers").replaceChildren(...derived.design.layers.map((layer, place) => card(layer, derived.layers[place], place)));
  if (focused) document.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
  byId("code").textContent = derived.code;
  puzzle();
  cause();
  summary();
}

const hiddenYet = (layer) => state.puzzle && !state.seen.has(layer.name);

function card(layer, row, place) {
  const open = state.open === layer.name, secret = hiddenYet(layer);
  const verdict = secret ? "" : row.verdict;
  const marks = { proved: "✓", failed: "✗", mismatch: "≠", unsupported: "?", unreached: "·" };
  const shape = row.output?.slice(1);
  const drop = !secret && drops(row.windows) ? make("div", { class: "note" }, drops(row.windows)) : null;
  const button = make("button", { class: "row", "aria-expanded": String(open), "data-key": `row:${layer.name}`, title: say("movehelp"), onclick: () => toggle(layer, row), onkeydown: (event) => keyed(event, place) },
    make("span", { class: "grip", "aria-hidden": "true" }, "⠿"),
    block(row, secret),
    make("span", {}, make("span", { class: "name" }, layer.name, make("small", {}, describe(layer, row))),
      make("div", { class: "sum math" }, secret ? say("hidden") : verdict === "failed" ? say("failed") : pretty(row.arithmetic ?? "")), drop),
    make("span", { class: "out" }, secret || !shape ? "" : times(shape)),
    make("span", { class: `mark ${verdict}` }, secret ? "" : marks[row.verdict]));
  const classes = ["layer", verdict, state.fixed === layer.name ? "fixed" : ""].join(" ");
  const item = make("li", { class: classes, draggable: "true", "data-layer": layer.name }, button, open && !secret ? inside(layer, row, place) : null);
  dragging(item, place);
  return item;
}

function describe(layer, row) {
  const links = [];
  if (layer.from) links.push(`${say("from")} ${layer.from}`);
  if (layer.with) links.push(`${say("with")} ${layer.with}`);
  const brief = { conv2d: ["kernel_size", "stride", "padding", "dilation"], max_pool2d: ["kernel_size", "stride", "padding"], avg_pool2d: ["kernel_size", "stride"], conv_transpose2d: ["kernel_size", "stride"], linear: [], upsample: ["scale_factor"], adaptive_avg_pool2d: ["output_size"] }[layer.kind] ?? [];
  const letters = { kernel_size: "k", stride: "s", padding: "p", dilation: "d" };
  const usual = { padding: 0, dilation: 1 };
  const numbers = brief.filter((name) => row.numbers[name] !== undefined && row.numbers[name] !== usual[name]).map((name) => `${letters[name] ?? ""}${row.numbers[name]}`);
  if (layer.kind === "linear") numbers.push(`${row.numbers.in_features ?? "?"} → ${row.numbers.out_features}`);
  if (layer.kind.startsWith("conv")) numbers.unshift(`${row.numbers.in_channels ?? "?"} → ${row.numbers.out_channels}`);
  return [layer.kind, ...numbers, ...links].join(" · ");
}

// A feature map to scale beside the input: its side as it is, its channels as depth.
function block(row, secret) {
  const picture = svg("svg", { class: "block", viewBox: "0 0 52 46", "aria-hidden": "true" });
  const shape = row.output?.slice(1);
  if (secret || !shape) return picture;
  if (shape.length !== 3) {
    const tall = Math.min(42, 6 + 4 * Math.log2(Math.max(1, shape[0])));
    picture.append(svg("rect", { class: "flat", x: 23, y: 23 - tall / 2, width: 5, height: tall, rx: 2 }));
    return picture;
  }
  const [channels, height, width] = shape, [, fullH, fullW] = state.derived.design.input;
  const full = Math.max(fullH, fullW, height, width), tall = Math.max(2, 32 * height / full), wide = Math.max(2, 32 * width / full);
  const sheets = Math.min(6, 1 + Math.floor(Math.log2(channels) / 2));
  for (let i = sheets - 1; i >= 0; i--) picture.append(svg("rect", { x: 4 + i * 2.6, y: 9 + (32 - tall) / 2 - i * 1.2, width: wide, height: tall, rx: Math.min(1.5, tall / 5) }));
  const lost = (row.windows ?? []).map((w) => w[2]);
  if (lost[0]) picture.append(svg("rect", { class: "lost", x: 4, y: 9 + (32 + tall) / 2, width: wide, height: 2 }));
  if (lost[1]) picture.append(svg("rect", { class: "lost", x: 4 + wide, y: 9 + (32 - tall) / 2, width: 2, height: tall }));
  return picture;
}

function toggle(layer, row) {
  if (state.puzzle) {
    state.seen.add(layer.name);
    const floors = drops(row.windows) !== null;
    if (floors || row.verdict === "failed") reveal(floors ? layer.name : null);
    else byId("puzzle").dataset.said = layer.name;
  }
  state.open = state.open === layer.name ? null : layer.name;
  render();
}

function reveal(name) {
  const rows = state.derived.design.layers.map((layer, place) => [layer, state.derived.layers[place]]);
  const [layer, row] = rows.find(([l, r]) => (name ? l.name === name : drops(r.windows))) ?? [];
  state.puzzle = false;
  solve(state.design);
  state.solved = layer ? [layer.name, `${row.inputs[0].slice(-2).join(" × ")} → ${row.output.slice(-2).join(" × ")}`] : null;
}

function puzzle() {
  const node = byId("puzzle");
  const solved = !state.puzzle && state.solved && byId("preset").value === "mistake";
  node.hidden = !(state.puzzle || solved);
  node.classList.toggle("solved", Boolean(solved));
  if (node.hidden) { delete node.dataset.said; return; }
  if (solved) { node.replaceChildren(make("p", {}, say("puzzlesolved", ...state.solved))); return; }
  const said = node.dataset.said;
  node.replaceChildren(make("p", {}, say("puzzle"), said ? make("strong", {}, " " + say("puzzlehalf", said)) : null),
    make("button", { id: "show-me", onclick: () => { reveal(null); render(); } }, say("puzzleshow")));
}

function inside(layer, row, place) {
  const table = state.opening.kinds[layer.kind];
  const parts = [];
  if (row.formula) parts.push(make("div", { class: "formula math" }, pretty(row.formula), make("br"), pretty(row.arithmetic)));
  const facts = [];
  if (row.parameters) facts.push(say("params", thousands(row.parameters)));
  if (row.field) facts.push(say("fieldis", ...row.field));
  if (facts.length) parts.push(make("div", { class: "link" }, facts.join(" · ")));
  for (const [name, allowed] of Object.entries(table)) parts.push(slider(layer, row, name, allowed));
  parts.push(links(layer, place), make("div", { class: "tools" },
    tool("up", layer, () => move(place, place - 1)), tool("down", layer, () => move(place, place + 1)), tool("remove", layer, () => remove(place))));
  return make("div", { class: "more" }, ...parts);
}

function tool(key, layer, action) {
  return make("button", { "data-key": `${key}:${layer.name}`, onclick: action }, say(key));
}

function slider(layer, row, name, allowed) {
  const value = layer[name] ?? row.numbers[name];
  const put = (number) => {
    if (Number.isInteger(number) && number >= allowed.low && number <= allowed.high) change((design) => { design.layers.find((l) => l.name === layer.name)[name] = number; });
  };
  const id = `${layer.name}-${name}`;
  if (allowed.low === 0 && allowed.high === 1) {
    const box = make("input", { id, type: "checkbox", checked: Boolean(value), "data-key": `box:${id}`, onchange: (event) => put(Number(event.target.checked)) });
    return make("div", { class: "slider" }, make("label", { for: id }, name), box);
  }
  const range = make("input", { id, type: "range", min: allowed.low, max: Math.max(allowed.slide, value ?? 0), value: value ?? allowed.low, "data-key": `range:${id}`, oninput: (event) => put(Number(event.target.value)) });
  range.value = value ?? allowed.low;
  const number = make("input", { type: "number", min: allowed.low, max: allowed.high, value, "aria-label": `${name} (${layer.name})`, "data-key": `number:${id}`, onchange: (event) => put(Number(event.target.value)) });
  const follows = allowed.usual === null && layer[name] !== undefined
    ? make("button", { "data-key": `follow:${id}`, onclick: () => change((design) => { delete design.layers.find((l) => l.name === layer.name)[name]; }) }, say("follows")) : null;
  const label = make("label", { for: id }, name, allowed.usual === null && layer[name] === undefined ? make("small", {}, ` (${say("follows")})`) : null);
  return make("div", { class: "slider" }, label, range, number, follows);
}

function links(layer, place) {
  const before = [state.opening.input, ...state.derived.design.layers.slice(0, place).map((l) => l.name)];
  const picker = (key, value, any) => make("label", { class: "link" }, `${say(key)} `, make("select", { "data-key": `${key}:${layer.name}`, onchange: (event) => change((design) => {
    const target = design.layers[place];
    if (event.target.value) target[key] = event.target.value;
    else delete target[key];
  }) }, any ? make("option", { value: "" }, "↑") : null, ...before.map((name) => make("option", { value: name, selected: name === value }, name))));
  return make("div", { class: "tools" }, picker("from", layer.from, true), state.opening.joining.includes(layer.kind) ? picker("with", layer.with, false) : null);
}

function move(place, target) {
  const count = state.derived.design.layers.length;
  if (target < 0 || target >= count) return;
  change((design) => {
    const [layer] = design.layers.splice(place, 1);
    design.layers.splice(target, 0, layer);
    linked(design);
  });
}

function remove(place) {
  if (state.derived.design.layers.length === 1) return;
  change((design) => {
    design.layers.splice(place, 1);
    linked(design);
  });
}

// A link may only lead to a layer above; one that no longer does goes back to the layer before.
function linked(design) {
  const known = new Set([state.opening.input]);
  let before = state.opening.input;
  for (const layer of design.layers) {
    if (layer.from && !known.has(layer.from)) delete layer.from;
    if (layer.with && !known.has(layer.with)) layer.with = before;
    known.add(layer.name);
    before = layer.name;
  }
}

function add() {
  const kind = byId("kind").value, layers = state.derived.design.layers;
  const at = layers.findIndex((layer) => layer.name === state.open);
  const place = at < 0 ? layers.length : at + 1;
  const stem = kind.replace("2d", "").replace("batch_norm", "bn").replace(/.*_pool/, "pool").replace("conv_transpose", "up");
  const taken = new Set(layers.map((layer) => layer.name));
  let number = 1;
  while (taken.has(`${stem}${number}`) || state.opening.input === `${stem}${number}`) number += 1;
  const layer = { name: `${stem}${number}`, kind };
  if (state.opening.joining.includes(kind)) layer.with = place ? layers[place - 1].name : state.opening.input;
  if (state.puzzle) { state.puzzle = false; state.solved = null; }
  state.open = layer.name;
  change((design) => design.layers.splice(place, 0, layer));
}

function keyed(event, place) {
  const to = { ArrowUp: place - 1, ArrowDown: place + 1 }[event.key];
  if (event.altKey && to !== undefined) { event.preventDefault(); move(place, to); }
  else if (to !== undefined) {
    event.preventDefault();
    document.querySelectorAll(".layer > .row")[to]?.focus();
  } else if (event.key === "Delete") {
    event.preventDefault();
    remove(place);
    setTimeout(() => document.querySelectorAll(".layer > .row")[Math.max(0, place - 1)]?.focus(), 300);
  }
}

function dragging(item, place) {
  item.addEventListener("dragstart", (event) => {
    if (event.target.closest("input")) { event.preventDefault(); return; }
    state.dragged = place;
    event.dataTransfer.setData("text/plain", item.dataset.layer);
    event.dataTransfer.effectAllowed = "move";
    item.classList.add("drag");
  });
  item.addEventListener("dragend", () => { state.dragged = null; item.classList.remove("drag"); });
  item.addEventListener("dragover", (event) => { if (state.dragged !== null) { event.preventDefault(); item.classList.add("over"); } });
  item.addEventListener("dragleave", () => item.classList.remove("over"));
  item.addEventListener("drop", (event) => {
    event.preventDefault();
    item.classList.remove("over");
    if (state.dragged !== null && state.dragged !== place) move(state.dragged, place);
  });
}

function cause() {
  const node = byId("cause"), found = state.derived.diagnosis;
  node.hidden = !found || state.puzzle;
  if (node.hidden) return;
  const key = `title:${found.code}`;
  const fixes = found.fixes.map((fix, place) => make("div", {},
    make("button", { class: place ? "" : "main", "data-fix": String(place), onclick: () => apply(fix) },
      fix.parts.map((part) => (part.kind === "insert" ? say("insert", part.layer) : say("change", part.layer, part.attribute, python(part.old), python(part.new)))).join("; ")),
    make("div", { class: "link" }, "✓ " + say("tried"))));
  node.replaceChildren(make("h2", {}, say(knows(key) ? key : "title:other")),
    make("p", {}, say("expected", found.layer, found.expected), " ", say("got", found.got)),
    ...(found.maker?.arithmetic ? [make("p", {}, say("maker", found.maker.layer || found.maker.op)), make("div", { class: "math" }, pretty(found.maker.arithmetic))] : []),
    ...(fixes.length ? fixes : [make("p", {}, say("nofix"))]));
}

// A value as PyTorch's code has it.
const python = (value) => ({ true: "True", false: "False" }[value] ?? value);

function apply(fix) {
  state.design = fix.design;
  state.fixed = fix.parts[0].layer;
  state.solved = null;
  byId("preset").value = "custom";
  derive();
}

function summary() {
  const { derived, domain } = state;
  if (!derived) return;
  const hide = state.puzzle;
  const failed = derived.verdict === "failed";
  const text = hide ? "?" : say(derived.verdict, derived.steps);
  const where = domain === null ? say("solving") : domain.domain === null ? say(failed ? "nodomain" : "notknown")
    : `${domain.exact ? say("exactly") + " " : ""}${domain.domain.replaceAll(">=", "≥").replaceAll("<=", "≤")}`;
  const rows = [
    ["verdict", make("span", { class: `verdict ${derived.verdict}` }, text)],
    ["output", derived.output ? times(derived.output) : "–"],
    ["parameters", thousands(derived.cost.parameters)],
    ["macs", derived.cost.macs === null ? "–" : pretty(thousands(derived.cost.macs))],
    ["domain", hide ? "?" : where],
  ];
  byId("summary").replaceChildren(make("dl", {}, ...rows.flatMap(([key, value]) => [make("dt", {}, say(key)), make("dd", { id: `sum-${key}` }, value)])));
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(say("copied"));
  } catch {
    toast(say("notcopied"));
  }
}
