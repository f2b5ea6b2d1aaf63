// The page's frame: two rooms, two languages.
import { ask, byId } from "./parts.js";
import { choose, chosen, say } from "./words.js";
import * as draw from "./draw.js";
import * as design from "./design.js";

const rooms = { draw, design };

function enter(name, focus) {
  for (const room of Object.keys(rooms)) {
    byId(room).hidden = room !== name;
    const tab = byId(`tab-${room}`);
    tab.setAttribute("aria-selected", room === name);
    tab.tabIndex = room === name ? 0 : -1;
    if (room === name && focus) tab.focus();
  }
  rooms[name].entered();
}

function speak(code) {
  choose(code);
  byId("language").textContent = chosen() === "en" ? "中文" : "English";
  byId("language").lang = chosen() === "en" ? "zh" : "en";
  byId("ink").setAttribute("aria-label", say("inkcanvas"));
  for (const room of Object.values(rooms)) room.spoken();
}

function stored() {
  try { return localStorage.getItem("language"); } catch { return null; }
}

function keep(code) {
  try { localStorage.setItem("language", code); } catch { /* a browser may keep nothing */ }
}

async function begin() {
  choose(stored() ?? navigator.language);
  const opening = await ask("/api/start");
  if (!opening) return;
  for (const room of Object.values(rooms)) room.begin(opening);
  byId("language").addEventListener("click", () => {
    speak(chosen() === "en" ? "zh" : "en");
    keep(chosen());
  });
  for (const name of Object.keys(rooms)) byId(`tab-${name}`).addEventListener("click", () => enter(name));
  byId("tabs").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") enter("draw", true);
    if (event.key === "ArrowRight") enter("design", true);
  });
  speak(chosen());
  const inDesign = location.hash.startsWith("#design");
  design.restored(location.hash);
  enter(inDesign ? "design" : "draw");
  document.body.dataset.ready = "yes";
}

begin();
