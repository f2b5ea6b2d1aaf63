// Small helpers that both rooms use. Text goes in as text, never as markup.
import { say } from "./words.js";

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export const times = (shape) => shape.map((size) => String(size).replaceAll("*", "·")).join(" × ");
export const thousands = (value) => String(value).replace(/\d{4,}/g, (n) => Number(n).toLocaleString("en"));
export const pretty = (text) => text.replaceAll("*", "·");

let gone;
export function toast(text) {
  const node = byId("toast");
  node.textContent = text;
  node.classList.add("on");
  clearTimeout(gone);
  gone = setTimeout(() => node.classList.remove("on"), 3200);
}

// Ask the server; an error's own words are shown. Returns null when there is no answer.
export async function ask(path, body, signal) {
  const json = !(body instanceof Blob);
  try {
    const reply = await fetch(path, body === undefined ? {} : {
      method: "POST", signal,
      headers: { "content-type": json ? "application/json" : "application/octet-stream" },
      body: json ? JSON.stringify(body) : body,
    });
    const value = await reply.json();
    if (reply.ok) return value;
    toast(value.error);
  } catch (error) {
    if (error.name !== "AbortError") toast(say("broken"));
  }
  return null;
}

// Only the latest of a kind of request counts: an older one is given up.
export function latest() {
  let controller;
  return (path, body) => {
    controller?.abort();
    controller = new AbortController();
    return ask(path, body, controller.signal);
  };
}

export function bytes(data) {
  return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
}
