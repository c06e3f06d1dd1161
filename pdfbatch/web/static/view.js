"use strict";
// Small parts of the pages that move: without this script they still show everything.

const body = document.body;

function listen() {
  if (!body.dataset.live) return;
  const source = new EventSource(body.dataset.live);
  let version = null;
  source.onmessage = (message) => {
    for (const [id, text] of Object.entries(JSON.parse(message.data))) {
      if (id === "version") {
        if (version !== null && version !== text) renew(location.href, false);
        version = text;
      } else if (id === "trouble") {
        document.getElementById("trouble").textContent = text;
      } else if (document.getElementById(id)) {
        replace(document.getElementById(id), text);
      }
    }
  };
  addEventListener("pagehide", () => source.close());
}

// Replaces the content of one part, and keeps how far it was scrolled.
function replace(part, text) {
  if (part.innerHTML === text) return;
  const box = part.querySelector(".scroll");
  const [left, top] = box ? [box.scrollLeft, box.scrollTop] : [0, 0];
  part.innerHTML = text;
  part.querySelector(".scroll")?.scrollTo(left, top);
}

let asked = 0;
async function renew(address, remember) {
  const table = document.getElementById("table");
  if (!table) return;
  const mine = ++asked;
  const answer = await fetch(address, { headers: { "x-fragment": "1" } });
  const text = await answer.text();
  if (mine !== asked || !answer.ok) return;
  replace(table, text);
  if (remember) history.pushState(null, "", address);
  if (text.includes("still reading")) setTimeout(() => mine === asked && renew(location.href, false), 700);
}

function filters() {
  const form = document.querySelector("[data-filters]");
  if (!form) return;
  let timer = 0;
  const show = () => {
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    const sorted = new URL(location.href).searchParams;
    for (const name of ["sort", "down"]) if (sorted.has(name)) given.push([name, sorted.get(name)]);
    renew(`/documents?${new URLSearchParams(given)}`, true);
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, 150); });
  form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
  form.querySelector("[name=run]").addEventListener("change", (event) => { event.stopPropagation(); form.submit(); });
  document.getElementById("table").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-table]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    renew(link.href, true);
  });
  addEventListener("popstate", () => location.reload());
  if (document.getElementById("table").textContent.includes("still reading")) renew(location.href, false);
}

// Marks an element in the picture and in the text.
function pairs() {
  const find = (number) => document.querySelectorAll(`[data-part="${number}"]`);
  const on = (event) => {
    const part = event.target.closest?.("[data-part]");
    document.querySelectorAll(".lit").forEach((each) => each.classList.remove("lit"));
    if (!part) return;
    for (const each of find(part.dataset.part)) {
      each.classList.add("lit");
      if (each !== part && each.tagName === "ARTICLE" && event.type === "focusin") each.scrollIntoView({ block: "nearest" });
    }
  };
  const pair = document.querySelector(".pair");
  if (!pair) return;
  pair.addEventListener("mouseover", on);
  pair.addEventListener("mouseleave", on);
  pair.addEventListener("focusin", on);
  pair.addEventListener("click", (event) => {
    const box = event.target.closest("rect[data-part]");
    if (box) find(box.dataset.part).forEach((each) => each.tagName === "ARTICLE" && each.scrollIntoView({ block: "nearest" }));
  });
}

function picture() {
  const image = document.getElementById("picture");
  if (!image) return;
  const missing = async () => {
    const answer = await fetch(image.src);
    const detail = answer.ok ? "" : (await answer.json().catch(() => ({}))).detail;
    const notice = document.getElementById("no-picture");
    notice.textContent = `No picture of this page. ${detail || ""}`;
    notice.hidden = false;
    image.closest(".drawing").classList.add("empty");
  };
  if (image.complete && !image.naturalWidth) missing();
  image.addEventListener("error", missing, { once: true });
}

async function mark() {
  const button = document.getElementById("mark");
  const marked = button.getAttribute("aria-pressed") !== "true";
  const answer = await fetch(body.dataset.mark, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pdfbatch": "1" },
    body: JSON.stringify({ key: body.dataset.key, page: Number(body.dataset.page), marked }),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    document.getElementById("trouble").textContent = said.detail || "The mark could not be saved.";
    return;
  }
  button.setAttribute("aria-pressed", String(said.marked));
  button.textContent = said.marked ? "Marked for another try" : "Mark for another try";
  document.getElementById("marks").textContent = said.count === 1 ? "1 page" : `${said.count} pages`;
  document.getElementById("marked").hidden = said.count === 0;
}

function keys() {
  if (!body.dataset.key) return;
  const help = document.getElementById("help");
  const toggle = () => (help.open ? help.close() : help.showModal());
  const go = (address) => address && location.assign(address);
  const does = {
    n: () => go(body.dataset.bad),
    ArrowLeft: () => go(body.dataset.previous),
    ArrowRight: () => go(body.dataset.following),
    m: mark,
    "?": toggle,
  };
  document.getElementById("mark").addEventListener("click", mark);
  document.getElementById("help-button").addEventListener("click", toggle);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in does)) return;
    if (event.target.closest("input, select, textarea") || (help.open && event.key !== "?")) return;
    event.preventDefault();
    does[event.key]();
  });
}

document.querySelectorAll("[data-submits]").forEach((form) => form.addEventListener("change", () => form.submit()));
listen();
filters();
pairs();
picture();
keys();
