// The drawing room. What is drawn goes to the server as strokes; everything shown of it comes from there.
import { ask, bytes, byId, latest, make, pretty, thousands, times } from "./parts.js";
import { drops, say } from "./words.js";

const state = { strokes: [], current: null, picture: null, told: null, unit: null, network: null };
const send = latest();
let waiting = false, again = false, cursor = [0.5, 0.3], down = false;

export function begin(opening) {
  state.network = opening.network;
  const ink = byId("ink");
  ink.addEventListener("pointerdown", pressed);
  ink.addEventListener("pointermove", moved);
  for (const end of ["pointerup", "pointercancel"]) ink.addEventListener(end, lifted);
  ink.addEventListener("keydown", typed);
  byId("undo").addEventListener("click", () => { state.strokes.pop(); changed(); });
  byId("clear").addEventListener("click", clear);
  byId("open").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => { if (event.target.files[0]) picture(event.target.files[0]); event.target.value = ""; });
  byId("pen").addEventListener("input", changed);
  const paper = byId("paper");
  for (const kind of ["dragenter", "dragover"]) paper.addEventListener(kind, (event) => { event.preventDefault(); paper.classList.add("over"); });
  paper.addEventListener("dragleave", () => paper.classList.remove("over"));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => { event.preventDefault(); paper.classList.remove("over"); pasted(event.dataTransfer.files); });
  document.addEventListener("paste", (event) => pasted(event.clipboardData.files));
  new ResizeObserver(drawPaper).observe(paper);
  stages();
}

export function entered() { drawPaper(); }

export function spoken() {
  if (!state.network) return;
  const n = state.network;
  byId("about").textContent = say("about", n.shipped ? say("shipped") : n.title, n.model, thousands(n.parameters),
    n.accuracy === null ? "?" : `${(100 * n.accuracy).toFixed(2)} %`, n.steps);
  stages();
  show();
}

function place(event) {
  const box = byId("ink").getBoundingClientRect();
  const within = (value) => Math.min(1.2, Math.max(-0.2, value));
  return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)].map((v) => Math.round(v * 1e4) / 1e4);
}

function pressed(event) {
  if (event.button) return;
  event.preventDefault();
  byId("ink").focus({ preventScroll: true });
  byId("ink").setPointerCapture(event.pointerId);
  state.picture = null;
  state.current = place(event);
  state.strokes.push(state.current);
  changed();
}

function moved(event) {
  if (!state.current) return;
  for (const part of event.getCoalescedEvents?.() ?? [event]) state.current.push(...place(part));
  changed();
}

function lifted() {
  if (!state.current) return;
  state.current = null;
  changed();
}

function typed(event) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === " ") {
    down = !down;
    if (down) { state.picture = null; state.strokes.push([...cursor]); }
  } else if (steps[event.key]) {
    cursor = cursor.map((v, axis) => Math.min(0.95, Math.max(0.05, Math.round((v + 0.04 * steps[event.key][axis]) * 100) / 100)));
    if (down) state.strokes.at(-1).push(...cursor);
  } else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) state.strokes.pop();
  else return;
  event.preventDefault();
  changed();
}

function clear() {
  Object.assign(state, { strokes: [], current: null, picture: null, told: null, unit: null });
  down = false;
  changed();
}

function pasted(files) {
  const file = [...files].find((f) => f.type.startsWith("image/"));
  if (file && !byId("draw").hidden) picture(file);
}

async function picture(file) {
  clear();
  const told = await ask("/api/picture", file);
  if (!told) return;
  const image = new Image();
  image.src = URL.createObjectURL(file);
  await image.decode().catch(() => null);
  URL.revokeObjectURL(image.src);
  state.picture = image;
  state.told = told;
  drawPaper();
  show();
}

const width = () => Number(byId("pen").value) / 100;

// One request at a time, and always one for the newest strokes: each stroke is answered as soon as it can be.
async function changed() {
  drawPaper();
  if (!state.strokes.length) { state.told = null; show(); return; }
  if (waiting) { again = true; return; }
  waiting = true;
  do {
    again = false;
    const told = await send("/api/strokes", { strokes: state.strokes, width: width() });
    if (told && state.strokes.length) { state.told = told; show(); }
  } while (again && state.strokes.length);
  waiting = false;
}

function sized(canvas) {
  const box = byId("paper").getBoundingClientRect(), scale = window.devicePixelRatio || 1;
  if (!box.width) return null;
  canvas.width = canvas.height = Math.round(box.width * scale);
  return canvas.getContext("2d");
}

function drawPaper() {
  const context = sized(byId("ink"));
  if (!context) return;
  const side = context.canvas.width;
  byId("hint").hidden = state.strokes.length > 0 || state.picture !== null;
  if (state.picture?.naturalWidth) {
    const [x, y, w, h] = frame();
    context.drawImage(state.picture, x * side, y * side, w * side, h * side);
  }
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = width() * side;
  context.strokeStyle = getComputedStyle(document.body).getPropertyValue("--pen");
  for (const stroke of state.strokes) {
    context.beginPath();
    context.moveTo(stroke[0] * side, stroke[1] * side);
    for (let i = 0; i < stroke.length; i += 2) context.lineTo(stroke[i] * side, stroke[i + 1] * side);
    context.stroke();
  }
  drawUnit();
}

// Where a picture lies on the paper, as shares of its side.
function frame() {
  if (!state.picture) return [0, 0, 1, 1];
  const { naturalWidth: w, naturalHeight: h } = state.picture, most = Math.max(w, h);
  return [(1 - w / most) / 2, (1 - h / most) / 2, w / most, h / most];
}

function show() {
  const told = state.told, card = document.querySelector(".answer");
  card.classList.toggle("sure", Boolean(told?.sure));
  card.classList.toggle("unsure", Boolean(told && !told.sure));
  byId("digit").textContent = told?.name || "?";
  const best = told?.label === null || !told ? "" : `${(100 * told.probabilities[told.label]).toFixed(1)} %`;
  byId("certainty").textContent = !told ? "" : told.sure ? `${say("sure")}, ${best}` : `${say("unsure")}. ${say(told.reason, told.other)}`;
  bars(told);
  drawSeen();
  for (const canvas of document.querySelectorAll("canvas.maps")) drawMaps(canvas);
  showUnit();
}

function bars(told) {
  const list = byId("bars");
  list.replaceChildren(...state.network.classes.map((name, place) => {
    const share = told && told.label !== null ? told.probabilities[place] : 0;
    const bar = make("i");
    bar.style.height = `${100 * share}%`;
    const label = `${name}: ${(100 * share).toFixed(1)} %`;
    return make("li", { class: told?.label === place ? "best" : "", title: label, "aria-label": label }, make("span", { class: "shaft" }, bar), name);
  }));
}

function grey(context, data, [height, width_], offset, x, y) {
  const image = context.createImageData(width_, height);
  for (let i = 0; i < width_ * height; i++) image.data.set([data[offset + i], data[offset + i], data[offset + i], 255], 4 * i);
  context.putImageData(image, x, y);
}

function drawSeen() {
  const canvas = byId("seen"), context = canvas.getContext("2d"), seen = state.told?.seen;
  canvas.setAttribute("aria-label", say("seen"));
  if (!seen) { context.clearRect(0, 0, canvas.width, canvas.height); return; }
  [canvas.height, canvas.width] = seen.shape;
  grey(context, bytes(seen.data), seen.shape, 0, 0, 0);
  const field = fieldOf(state.unit);
  if (field) {
    context.strokeStyle = "#ffb020";
    context.strokeRect(field.x + 0.5, field.y + 0.5, field.w - 1, field.h - 1);
  }
}

function stages() {
  byId("stages").replaceChildren(...state.network.stages.map((stage) => {
    const last = stage.steps.at(-1);
    const shape = last.output.slice(1);
    const isMap = stage.name && shape.length === 3;
    const head = make("div", { class: "head" }, make("h3", {}, stage.name || last.op), make("span", { class: "shape" }, times(shape)),
      stage.field && isMap ? make("span", { class: "link" }, say("fieldis", ...stage.field.size)) : null);
    return make("article", { class: "card stage" }, head, isMap ? sheet(stage, shape) : null, sums(stage.steps));
  }));
  for (const canvas of document.querySelectorAll("canvas.maps")) drawMaps(canvas);
}

function sums(steps) {
  return make("ol", { class: "sums" }, ...steps.map((step) => make("li", { title: step.formula },
    make("span", {}, step.op),
    make("span", {}, make("span", { class: "math" }, pretty(step.arithmetic)), drops(step.windows) ? make("div", { class: "note" }, drops(step.windows)) : null),
    make("span", { class: "size math" }, times(step.output.slice(1))),
    make("span", { class: `mark ${step.verdict}` }, step.verdict === "proved" ? "✓" : "?"))));
}

function sheet(stage, [count, height, width_]) {
  const shown = Math.min(count, 128), gap = 1;
  const side = Math.min(width_, 64), tall = Math.min(height, 64);
  // maps are shown at one scale each stage, so that small ones can still be clicked
  const zoom = Math.max(1, Math.min(14, Math.round(46 / side)));
  const room = Math.min(860, innerWidth > 900 ? innerWidth - 440 : innerWidth - 66);
  const columns = Math.max(1, Math.min(shown, Math.floor(room / (side * zoom + gap * zoom))));
  const rows = Math.ceil(shown / columns);
  const canvas = make("canvas", { class: "maps", tabindex: 0, role: "img", width: columns * (side + gap) - gap, height: rows * (tall + gap) - gap });
  Object.assign(canvas, { stage, layout: { shown, side, tall, gap, columns, rows } });
  canvas.style.width = `${canvas.width * zoom}px`;
  canvas.setAttribute("aria-label", say("stage", stage.name));
  canvas.addEventListener("click", (event) => pick(canvas, event));
  canvas.addEventListener("keydown", (event) => walk(canvas, event));
  return canvas;
}

function drawMaps(canvas) {
  const context = canvas.getContext("2d"), { side, tall, gap, columns, shown } = canvas.layout;
  const maps = state.told?.maps?.[canvas.stage.name];
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!maps) {
    context.fillStyle = "#8884";
    for (let i = 0; i < shown; i++) context.fillRect((i % columns) * (side + gap), Math.floor(i / columns) * (tall + gap), side, tall);
    return;
  }
  const data = bytes(maps.data);
  for (let i = 0; i < shown; i++) grey(context, data, [tall, side], i * side * tall, (i % columns) * (side + gap), Math.floor(i / columns) * (tall + gap));
  const unit = state.unit;
  if (unit?.stage === canvas.stage.name) {
    context.fillStyle = "#ffb020";
    context.fillRect((unit.map % columns) * (side + gap) + unit.column, Math.floor(unit.map / columns) * (tall + gap) + unit.row, 1, 1);
  }
}

function pick(canvas, event) {
  const box = canvas.getBoundingClientRect(), { side, tall, gap, columns, shown } = canvas.layout;
  const x = Math.floor((event.clientX - box.left) / box.width * canvas.width), y = Math.floor((event.clientY - box.top) / box.height * canvas.height);
  const map = Math.floor(y / (tall + gap)) * columns + Math.floor(x / (side + gap));
  select(canvas, map, y % (tall + gap), x % (side + gap), shown, tall, side);
}

function walk(canvas, event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  const { side, tall, columns, shown } = canvas.layout;
  let { map, row, column } = state.unit?.stage === canvas.stage.name ? state.unit : { map: 0, row: 0, column: -step[1] };
  row += step[0];
  column += step[1];
  if (column < 0) { map -= 1; column = side - 1; } else if (column >= side) { map += 1; column = 0; }
  if (row < 0) { map -= columns; row = tall - 1; } else if (row >= tall) { map += columns; row = 0; }
  select(canvas, map, row, column, shown, tall, side);
}

function select(canvas, map, row, column, shown, tall, side) {
  if (map < 0 || map >= shown || row >= tall || column >= side) return;
  state.unit = { stage: canvas.stage.name, map, row, column, field: canvas.stage.field };
  show();
  drawPaper();
}

// The receptive field of a unit in the picture that the network sees, cut to it.
function fieldOf(unit) {
  if (!unit?.field) return null;
  const [, rows, columns] = state.network.shape, margin = state.network.margin;
  const span = (axis, place, most) => {
    const from = unit.field.start[axis] + place * unit.field.stride[axis];
    const begin_ = Math.max(0, from), end = Math.min(most, from + unit.field.size[axis]);
    return [begin_ + margin, end - begin_];
  };
  const [y, h] = span(0, unit.row, rows), [x, w] = span(1, unit.column, columns);
  return { x, y, w, h };
}

function showUnit() {
  const unit = state.unit, line = byId("unit");
  if (!unit) { line.textContent = say("unit"); return; }
  const maps = state.told?.maps?.[unit.stage];
  let value = "–";
  if (maps) {
    const [, tall, side] = maps.stored;
    const stored = bytes(maps.data)[(unit.map * tall + unit.row) * side + unit.column];
    value = (maps.low + stored / 255 * (maps.high - maps.low)).toFixed(2);
  }
  const size = unit.field ? unit.field.size : ["?", "?"];
  line.textContent = say("unitis", unit.stage, unit.map + 1, unit.row + 1, unit.column + 1, ...size, value);
}

function drawUnit() {
  const context = sized(byId("overlay"));
  if (!context) return;
  const side = context.canvas.width;
  if (document.activeElement === byId("ink") && byId("ink").matches(":focus-visible")) {
    context.fillStyle = down ? "#2f6fed" : "#2f6fed88";
    context.beginPath();
    context.arc(cursor[0] * side, cursor[1] * side, side * 0.014, 0, 7);
    context.fill();
  }
  const field = fieldOf(state.unit), placed = state.told?.placed;
  if (!field || !placed) return;
  const [x, y, w, h] = frame();
  const paperX = (v) => (x + (v - placed.offset[0]) / placed.scale[0] * w) * side;
  const paperY = (v) => (y + (v - placed.offset[1]) / placed.scale[1] * h) * side;
  const left = paperX(field.x), top = paperY(field.y);
  const wide = paperX(field.x + field.w) - left, high = paperY(field.y + field.h) - top;
  context.fillStyle = "#ffb02033";
  context.strokeStyle = "#e08c00";
  context.lineWidth = Math.max(2, side / 160);
  context.fillRect(left, top, wide, high);
  context.strokeRect(left, top, wide, high);
}
