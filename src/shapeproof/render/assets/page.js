"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (what, from = document) => [...from.querySelectorAll(what)];

  // ---- words -------------------------------------------------------------------------------------------------
  let tongue = 0; // 0 English, 1 Chinese
  const say = (key, values = {}) =>
    data.strings[key][tongue].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  const put = (element, key, values) => {
    element.dataset.t = key;
    if (values) element.dataset.v = JSON.stringify(values);
    element.textContent = say(key, values);
  };
  const speak = (which) => {
    tongue = which;
    document.documentElement.lang = ["en", "zh-CN"][which];
    for (const e of all("[data-t]")) e.textContent = say(e.dataset.t, e.dataset.v ? JSON.parse(e.dataset.v) : {});
    for (const e of all("[data-zh]")) {
      e.dataset.en ??= e.textContent;
      e.textContent = which ? e.dataset.zh : e.dataset.en;
    }
  };

  // ---- sizes: trees are evaluated, no formula stands here ------------------------------------------------------
  const operations = {
    "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (...all) => all.reduce((a, b) => a * b), "/": (a, b) => a / b,
    "^": (a, b) => a ** b, floor: Math.floor, ceil: Math.ceil,
    "==": (a, b) => a === b, "!=": (a, b) => a !== b, ">=": (a, b) => a >= b, mod: (a, b) => b !== 0 && a % b === 0, "!mod": (a, b) => b === 0 || a % b !== 0,
  };
  const value = (tree, letters) =>
    typeof tree === "number" ? tree
      : typeof tree === "string" ? letters[tree]
        : operations[tree[0]](...tree.slice(1).map((part) => value(part, letters)));

  const letters = { ...(data.letters || {}) };
  let sizes = [];
  const size = (mark) => (typeof mark === "number" ? mark : sizes[+mark.slice(1)]);
  const written = () => Object.entries(letters).map(([name, n]) => `${name} = ${n}`).join(", ");
  const conditions = data.conditions || [];

  const holds = (c, at) => value(c.tree, at);
  const within = ([intervals, period, remainders, start], n) =>
    (period > 1 && n >= start && remainders.includes(n % period)) ||
    intervals.some(([low, high]) => low <= n && (high === null || n <= high));
  // where the model runs, and whether on the way that is shown
  const runs = (at) =>
    data.domain
      ? data.domain.some((part) => Object.entries(part.sets).every(([name, set]) => within(set, at[name])) && part.also.every((tree) => value(tree, at)))
      : conditions.every((c) => holds(c, at));
  const standing = (at) => (!runs(at) ? "bad" : conditions.every((c) => holds(c, at)) ? "good" : "doubt");

  const track = (input) => {
    const name = input.dataset.letter, high = +input.max;
    const stops = [];
    let before;
    for (let n = 1; n <= high; n++) {
      const ok = standing({ ...letters, [name]: n });
      if (ok !== before) stops.push([n, ok]);
      before = ok;
    }
    const at = (n) => `calc(10px + (100% - 20px) * ${(n - 1) / Math.max(1, high - 1)})`;
    const parts = stops.map(([n, ok], i) => {
      const colour = `var(--${ok})`;
      const from = i ? at(n - 0.5) : "0%", to = i + 1 < stops.length ? at(stops[i + 1][0] - 0.5) : "100%";
      return `${colour} ${from} ${to}`;
    });
    input.style.setProperty("--track", `linear-gradient(90deg, ${parts.join(", ")})`);
  };

  const rescale = () => {
    if (data.front === undefined) return;
    const boxes = [];
    for (const e of all("svg.map[data-m]")) {
      const [h, w, c] = JSON.parse(e.dataset.m).map(size);
      e.style.setProperty("--h", Math.max(0, h));
      e.style.setProperty("--w", Math.max(0, w));
      e.style.setProperty("--c", Math.max(0, c));
      e.querySelector("title").textContent = `${h} x ${w} x ${c}`;
      boxes.push([h, w, c]);
    }
    const maps = boxes.filter(([h, w]) => h * w > 1), counted = maps.length ? maps : boxes;
    const most = (...places) => Math.max(1, ...counted.flatMap((box) => places.map((p) => box[p])));
    document.documentElement.style.setProperty("--u", data.front / most(0, 1));
    document.documentElement.style.setProperty("--v", Math.min(data.thickest, data.depth / most(2)));
  };

  const dropped = (step) => {
    const line = step.querySelector(".drops");
    if (!line) return;
    const left = JSON.parse(step.dataset.w).map((w) => Math.max(0, size(w[6])));
    const words = left.length === 1 ? ["element"] : [...Array(left.length - 1).fill("row"), "column"];
    const what = line.lastElementChild;
    what.replaceChildren();
    left.forEach((n, i) => {
      if (!n) return;
      if (what.childNodes.length) put(what.appendChild(document.createElement("span")), "and");
      put(what.appendChild(document.createElement("span")), n === 1 ? words[i] : `${words[i]}s`, { n });
    });
    line.hidden = !what.childNodes.length;
  };

  const follow = () => {
    sizes = (data.sizes || []).map((tree) => value(tree, letters));
    for (const e of all("[data-x]")) {
      const n = sizes[+e.dataset.x];
      e.textContent = "n" in e.dataset ? n.toLocaleString("en") : n;
    }
    const how = standing(letters);
    const broken = new Set(conditions.flatMap((c, i) => (holds(c, letters) ? [] : [i])));
    let first = null;
    for (const e of all(".step")) {
      const bad = how === "bad" && e.dataset.r ? JSON.parse(e.dataset.r).filter((i) => broken.has(i)) : [];
      e.classList.toggle("broken", bad.length > 0);
      e.classList.toggle("after", first !== null);
      if (bad.length && first === null) first = [e, bad[0]];
      if (e.dataset.w) dropped(e);
    }
    rescale();
    state(how, broken, first);
    all("input[type=range][data-letter]").forEach(track);
    if (now) show(now);
  };

  const state = (how, broken, first) => {
    const box = document.getElementById("sizes");
    if (!box) return;
    box.classList.toggle("beyond", how === "bad");
    document.body.classList.toggle("beyond-page", how === "bad");
    document.body.classList.toggle("elsewhere", how === "doubt");
    const told = box.querySelector(".state");
    const which = first ? first[1] : [...broken][0];
    const condition = which === undefined ? "" : conditions[which].text;
    if (how === "good") put(told, data.failed ? "mended" : "inside", { sizes: written() });
    else if (how === "doubt") put(told, "another", { sizes: written(), condition });
    else if (which === undefined) put(told, "beyond", { sizes: written() });
    else {
      const where = first ? first[0].querySelector("h3").textContent.trim() : say("its.path");
      put(told, "outside", { sizes: written(), where, condition });
    }
    document.getElementById("reset").hidden = Object.keys(letters).every((n) => letters[n] === data.letters[n]);
  };

  const set = (name, n) => {
    letters[name] = n;
    for (const e of all(`[data-letter="${CSS.escape(name)}"]`)) e.value = n;
    follow();
  };

  // ---- the window ----------------------------------------------------------------------------------------------
  const NS = "http://www.w3.org/2000/svg";
  const draw = (name, marks, parent) => {
    const e = document.createElementNS(NS, name);
    for (const [key, n] of Object.entries(marks)) e.setAttribute(key, n);
    return parent ? parent.appendChild(e) : e;
  };
  const make = (name, parent, className = "") => {
    const e = parent.appendChild(document.createElement(name));
    e.className = className;
    return e;
  };
  const panel = document.getElementById("window");
  const stage = panel && panel.querySelector(".stage");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let now = null, timer = 0, place = 0;

  // an axis that a window slides along; axes that the step has not are one element long
  const axes = (step) => {
    const read = JSON.parse(step.dataset.w).slice(-2)
      .map(([n, k, s, p, d, out, left]) => ({ n: size(n), k: size(k), s: size(s), p: size(p), d: size(d), out: size(out), left: Math.max(0, size(left)) }));
    return read.length > 1 ? read : [{ n: 1, k: 1, s: 1, p: 0, d: 1, out: 1, left: 0 }, ...read];
  };
  const span = (a) => a.d * (a.k - 1) + 1;

  const lines = (svg, x0, y0, x1, y1) => {
    if (Math.max(x1 - x0, y1 - y0) > 64) return;
    let path = "";
    for (let x = x0; x <= x1; x++) path += `M${x} ${y0}V${y1}`;
    for (let y = y0; y <= y1; y++) path += `M${x0} ${y}H${x1}`;
    draw("path", { d: path, class: "grid-lines" }, svg);
  };
  const inputGrid = (parent, [y, x], box, label) => {
    const svg = draw("svg", { viewBox: box.join(" "), role: "img", "aria-label": label }, parent);
    draw("rect", { x: -x.p, y: -y.p, width: x.n + 2 * x.p, height: y.n + 2 * y.p, class: "grid-pad" }, svg);
    draw("rect", { x: 0, y: 0, width: x.n, height: y.n, class: "grid-in" }, svg);
    if (y.left) draw("rect", { x: 0, y: y.n - y.left, width: x.n, height: y.left, class: "grid-drop" }, svg);
    if (x.left) draw("rect", { x: x.n - x.left, y: 0, width: x.left, height: y.n - y.left, class: "grid-drop" }, svg);
    if (box[2] <= 64) lines(svg, Math.max(-x.p, Math.floor(box[0])), Math.max(-y.p, Math.floor(box[1])), Math.min(x.n + x.p, Math.ceil(box[0] + box[2])), Math.min(y.n + y.p, Math.ceil(box[1] + box[3])));
    draw("rect", { x: 0, y: 0, width: x.n, height: y.n, class: "grid-edge" }, svg);
    const group = draw("g", { class: "slides" }, svg);
    draw("rect", { x: 0, y: 0, width: span(x), height: span(y), class: "grid-frame" }, group);
    if (x.k * y.k <= 400)
      for (let i = 0; i < y.k; i++) for (let j = 0; j < x.k; j++)
        draw("rect", { x: j * x.d + 0.08, y: i * y.d + 0.08, width: 0.84, height: 0.84, rx: 0.12, class: "grid-tap" }, group);
    return svg;
  };
  const outputGrid = (parent, [y, x], label) => {
    const svg = draw("svg", { viewBox: `-0.2 -0.2 ${x.out + 0.4} ${y.out + 0.4}`, role: "img", "aria-label": label }, parent);
    draw("rect", { x: 0, y: 0, width: x.out, height: y.out, class: "grid-out" }, svg);
    lines(svg, 0, 0, x.out, y.out);
    draw("rect", { x: 0, y: 0, width: x.out, height: y.out, class: "grid-edge" }, svg);
    draw("rect", { x: 0, y: 0, width: 1, height: 1, class: "grid-cell" }, svg);
    return svg;
  };
  const figure = (parent, key, values) => {
    const e = make("figure", parent);
    return [e, () => put(make("figcaption", e), key, values)];
  };

  const move = (to) => {
    const view = now.view;
    place = ((to % view.total) + view.total) % view.total;
    const [y, x] = view.axes, oy = Math.floor(place / x.out), ox = place % x.out;
    const left = ox * x.s - x.p, top = oy * y.s - y.p;
    for (const group of all(".slides", stage)) group.setAttribute("transform", `translate(${left} ${top})`);
    const cell = stage.querySelector(".grid-cell");
    cell.setAttribute("x", ox);
    cell.setAttribute("y", oy);
    if (view.close) {
      const [w, h] = view.close.size;
      const corner = [left + span(x) / 2 - w / 2, top + span(y) / 2 - h / 2];
      view.close.svg.setAttribute("viewBox", `${corner[0]} ${corner[1]} ${w} ${h}`);
    }
    stage.querySelector("input").value = place;
    put(stage.querySelector(".told"), "window.at", { n: place + 1, total: view.total, y: oy, x: ox });
  };
  const play = (on) => {
    clearInterval(timer);
    timer = on ? setInterval(() => document.hidden || move(place + now.view.stride), 160) : 0;
    const button = stage.querySelector("button");
    if (button) put(button, on ? "pause" : "play");
  };

  const show = (step) => {
    play(false);
    const before = now;
    now = step;
    for (const e of all(".step.here")) e.classList.remove("here");
    step.classList.add("here");
    stage.replaceChildren();
    panel.classList.toggle("idle", !step.dataset.w);
    if (!step.dataset.w) {
      put(make("p", stage, "plain"), "window.none");
      return;
    }
    const [y, x] = axes(step);
    const h3 = make("h3", stage);
    h3.textContent = step.querySelector("h3").textContent;
    const both = (key) => (y.n === 1 && y.k === 1 ? x[key] : y[key] === x[key] ? x[key] : `${y[key]} x ${x[key]}`);
    put(make("p", stage, "plain"), "window.made", { k: both("k"), s: both("s"), p: both("p"), d: both("d") });
    if (x.out < 1 || y.out < 1) {
      put(make("p", stage, "told"), "window.nowhere");
      return;
    }
    const total = x.out * y.out;
    step.view = { axes: [y, x], total, stride: Math.max(1, Math.floor(total / 400)) };
    const over = (a) => Math.max(a.n + 2 * a.p, (a.out - 1) * a.s + span(a));
    const box = [-x.p - 0.2, -y.p - 0.2, over(x) + 0.4, over(y) + 0.4];
    const [frame, caption] = figure(stage, "window.input", { h: y.n, w: x.n });
    const grid = inputGrid(frame, [y, x], box, say("window.input", { h: y.n, w: x.n }));
    caption();
    const pair = make("div", stage, "pair");
    if (Math.max(box[2], box[3]) > 40) {
      const w = Math.min(box[2], Math.max(12, span(x) * 2)), h = Math.min(box[3], Math.max(w * 0.75, span(y) * 1.3));
      const [near, named] = figure(pair, "window.close");
      step.view.close = { svg: inputGrid(near, [y, x], [0, 0, w, h], say("window.close")), size: [w, h] };
      const inside = step.view.close.svg.querySelector(".grid-lines");
      if (inside) inside.remove();
      nearLines(step.view.close.svg, [y, x]);
      named();
    }
    const [result, named] = figure(pair, "window.output", { h: y.out, w: x.out });
    const out = outputGrid(result, [y, x], say("window.output", { h: y.out, w: x.out }));
    named();
    const controls = make("div", stage, "controls");
    put(Object.assign(make("button", controls), { type: "button", onclick: () => play(!timer) }), "play");
    const slider = Object.assign(make("input", controls), { type: "range", min: 0, max: total - 1, oninput: () => { play(false); move(+slider.value); } });
    slider.setAttribute("aria-label", say("position"));
    make("p", stage, "told");
    if (!x.left && !y.left) put(make("p", stage, "plain"), "window.kept");
    point(out, ([px, py]) => [py, px]);
    point(grid, ([px, py]) => [(py + y.p - span(y) / 2) / y.s + 0.5, (px + x.p - span(x) / 2) / x.s + 0.5]);
    move(before === step ? place : 0);
    play(!still && before !== step);
  };
  // grid lines only near: a pattern would blur at this scale, a path over the whole map would be long
  const nearLines = (svg, [y, x]) => {
    const id = "near";
    const pattern = draw("pattern", { id, width: 1, height: 1, patternUnits: "userSpaceOnUse" }, draw("defs", {}, svg));
    draw("path", { d: "M0 0H1M0 0V1", class: "grid-lines" }, pattern);
    const sheet = draw("rect", { x: -x.p, y: -y.p, width: x.n + 2 * x.p, height: y.n + 2 * y.p, fill: `url(#${id})` });
    svg.insertBefore(sheet, svg.querySelector(".grid-edge"));
  };
  const point = (svg, where) => {
    const at = (event) => {
      if (event.type === "pointermove" && !(event.buttons || event.pointerType === "mouse")) return;
      const spot = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const [y, x] = now.view.axes, [oy, ox] = where([spot.x, spot.y]).map(Math.floor);
      const clip = (n, high) => Math.min(high - 1, Math.max(0, n));
      play(false);
      move(clip(oy, y.out) * x.out + clip(ox, x.out));
    };
    svg.addEventListener("pointerdown", at);
    svg.addEventListener("pointermove", at);
  };

  // ---- hands ---------------------------------------------------------------------------------------------------
  for (const e of all("input[data-letter]"))
    e.addEventListener("input", () => {
      const n = Math.floor(+e.value);
      if (n >= 1 && n <= 1e6) set(e.dataset.letter, n);
    });
  const reset = document.getElementById("reset");
  if (reset) reset.onclick = () => { Object.assign(letters, data.letters); for (const n in letters) set(n, letters[n]); };
  if (panel) {
    let waiting = 0;
    for (const step of all(".step")) {
      step.addEventListener("pointerenter", (event) => {
        clearTimeout(waiting);
        if (event.pointerType === "mouse") waiting = setTimeout(() => now === step || show(step), 90);
      });
      step.addEventListener("focusin", () => {
        if (now === step) return;
        show(step);
        // where the window lies over the page's lower half, the step must stand in the upper one
        if (innerWidth <= 920) step.scrollIntoView({ block: "start" });
      });
      step.addEventListener("click", () => now === step || show(step));
      step.addEventListener("keydown", (event) => {
        if (event.target !== step) return;
        const steps = all(".step"), at = steps.indexOf(step);
        const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: steps.length - 1 }[event.key];
        if (to !== undefined && steps[to]) { event.preventDefault(); steps[to].focus(); }
        if (now === step && now.view && event.key === "ArrowRight") { play(false); move(place + 1); event.preventDefault(); }
        if (now === step && now.view && event.key === "ArrowLeft") { play(false); move(place - 1); event.preventDefault(); }
      });
    }
    panel.classList.add("idle");
  }
  const button = document.getElementById("language");
  if (button) button.onclick = () => speak(1 - tongue);
  const stuck = document.getElementById("sizes");
  if (stuck) {
    document.body.classList.add("has-sizes");
    new ResizeObserver(() => document.documentElement.style.setProperty("--stuck", `${stuck.offsetHeight}px`)).observe(stuck);
  }
  follow();
  if ((navigator.language || "").toLowerCase().startsWith("zh")) speak(1);
})();
