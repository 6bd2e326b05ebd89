"use strict";
// The page: which pass is shown, in which view, and which value is selected.

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const stages = [data.overall, ...data.stages];
const state = { stage: 0, view: "picture", sides: "both", selected: null, change: -1 };
let panes = {};

const SIDES = [["both", "Both"], ["before", "Before"], ["after", "After"]];
const VIEWS = [["picture", "Picture"], ["text", "Text"], ["layers", "Layers"],
  ...(data.kernels ? [["kernels", "Kernels"]] : [])];

const stage = () => stages[state.stage];
const graphOf = (side) => data.graphs[stage()[side]];
const marksOf = (side) => stage()[`marks_${side}`];
const boxNumber = (side, name) => graphOf(side).boxes.findIndex((box) => box.name === name);
const isIdle = (item) => item.unchanged;
const time = (ms) => ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : ms >= 10 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;

function clickable(node, action) {
  node.tabIndex = 0;
  node.addEventListener("click", action);
  node.addEventListener("keydown", (event) => { if (event.key === "Enter") action(); });
  return node;
}

function showPasses() {
  const longest = Math.max(...data.stages.map((item) => item.milliseconds), 1e-9);
  find("passes").replaceChildren(...stages.map((item, number) => {
    const count = (list, kind, sign) => list.length
      ? [element("span", { className: kind, textContent: `${sign}${list.length}`, title: list.slice(0, 12).join(", ") })] : [];
    const meter = element("div", { className: "meter" }, element("i"));
    meter.firstChild.style.width = `${number ? item.milliseconds / longest * 100 : 0}%`;
    const entry = element("li", { className: `${isIdle(item) ? "idle" : ""} ${number ? "" : "overall"}`, title: item.purpose },
      element("div", { className: "row" }, element("span", { className: "name", textContent: item.name }),
        element("span", { className: "time", textContent: time(item.milliseconds) })),
      ...(isIdle(item) ? [] : [element("div", { className: "counts" },
        element("span", { textContent: item.values_before === item.values_after
          ? `${item.values_after} values` : `${item.values_before} → ${item.values_after} values` }),
        ...count(item.removed, "minus", "−"), ...count(item.added, "plus", "+"), ...count(item.changed, "tilde", "~"))]),
      ...(number && !isIdle(item) ? [meter] : []));
    entry.setAttribute("aria-selected", number === state.stage);
    return clickable(entry, () => choose({ stage: number }));
  }));
}

function showButtons(root, entries, key, role) {
  root.replaceChildren(...entries.map(([value, label]) => {
    const button = element("button", { textContent: label });
    if (role) button.setAttribute("role", role);
    button.setAttribute(role ? "aria-selected" : "aria-pressed", state[key] === value);
    button.addEventListener("click", () => choose({ [key]: value }));
    return button;
  }));
}

function showStage() {
  const item = stage();
  find("stage-name").textContent = item.name;
  const purpose = isIdle(item) ? `${item.purpose} There was nothing to change.` : item.purpose;
  find("stage-purpose").replaceChildren(...purpose.split("`").map((text, i) => i % 2 ? element("code", { textContent: text }) : text));
  find("rules").replaceChildren(...Object.entries(item.rules).map(([name, count]) =>
    element("span", { className: "chip", title: data.purposes[name] || "" }, name, element("b", { textContent: `×${count}` }))));
  showButtons(find("tabs"), VIEWS, "view", "tab");
  showButtons(find("sides"), SIDES, "sides");
  find("sides").hidden = isIdle(item);
  for (const [view] of VIEWS) find(`view-${view}`).hidden = view !== state.view;
  if (state.view === "picture") showPicture();
  if (state.view === "text") showText();
  if (state.view === "layers") showLayers();
  if (state.view === "kernels") showKernels();
}

function showPicture() {
  const item = stage(), sides = isIdle(item) ? ["after"] : state.sides === "both" ? ["before", "after"] : [state.sides];
  panes = {};
  for (const side of sides) {
    const label = isIdle(item) ? "Graph" : side === "before" ? "Before" : "After";
    panes[side] = new Pane(graphOf(side), marksOf(side), label,
      (number) => select(number < 0 ? null : { side, name: graphOf(side).boxes[number].name }, false));
  }
  find("panes").replaceChildren(...Object.values(panes).map((pane) => pane.root));
  for (const pane of Object.values(panes)) pane.start();
  state.change = -1;
  showChangePlace();
  if (state.selected) showSelection(true);
  else if (!isIdle(item) && state.stage > 0) stepChange(1, false);
}

// All boxes that changed, in the order of the graph: [side, number].
function changes() {
  return ["before", "after"].filter((side) => panes[side]).flatMap((side) =>
    [...marksOf(side)].map((mark, number) => [side, number, mark])
      .filter(([, , mark]) => mark !== "." && (side === "after" || mark === "-" || !panes.after)))
    .sort((a, b) => graphOf(a[0]).boxes[a[1]].y / graphOf(a[0]).height - graphOf(b[0]).boxes[b[1]].y / graphOf(b[0]).height);
}

function showChangePlace() {
  const count = changes().length;
  find("change-place").textContent = count ? `${state.change < 0 ? "" : `${state.change + 1} of `}${count} changes` : "no changes";
}

function stepChange(step, selecting = true) {
  const all = changes();
  if (!all.length) return;
  state.change = (state.change + step + all.length) % all.length;
  const [side, number] = all[state.change];
  if (selecting) select({ side, name: graphOf(side).boxes[number].name }, true);
  else {
    panes[side].center(number);
    const other = side === "after" ? "before" : "after", twin = counterparts(side, graphOf(side).boxes[number], other)[0];
    if (panes[other] && twin !== undefined) panes[other].center(twin);
    state.change = -1;
  }
  showChangePlace();
}

function showText() {
  const item = stage();
  find("text").replaceChildren(textView(graphOf("before"), graphOf("after"), item.blocks,
    (side, name) => select({ side, name }, false)));
  markLine(true);
}

function markLine(scrolling) {
  let marked = null;
  for (const line of find("text").querySelectorAll("tr[data-name]")) {
    const isIt = state.selected && line.dataset.name === state.selected.name;
    line.classList.toggle("selected", Boolean(isIt));
    if (isIt) marked = line;
  }
  if (marked && scrolling) marked.scrollIntoView({ block: "center" });
}

function valueLink(side, name) {
  const link = element("button", { className: "link", textContent: name });
  link.addEventListener("click", () => select({ side, name }, true));
  return link;
}

function showLayers() {
  const last = data.graphs[data.overall.after], known = new Set(last.boxes.map((box) => box.name));
  const chips = (names, live) => element("div", { className: "chips" }, ...names.map((name) => {
    const chip = element(live && known.has(name) ? "button" : "span", { className: "chip", textContent: name });
    if (chip.tagName === "BUTTON") chip.addEventListener("click", () => {
      choose({ stage: 0, view: "picture" });
      select({ side: "after", name }, true);
    });
    return chip;
  }));
  const gone = () => element("span", { className: "muted", textContent: "nothing is left of it" });
  find("layers").replaceChildren(element("table", { className: "layers" },
    element("thead", {}, element("tr", {}, ...["Layer", "Traced to", "Computed in the end by"].map((text) =>
      element("th", { textContent: text })))),
    element("tbody", {}, ...data.layers.map((row) => element("tr", {},
      element("td", {}, element("code", { textContent: row.layer })), element("td", {}, chips(row.traced, false)),
      element("td", {}, row.final.length ? chips(row.final, true) : gone()))))));
}

function showKernels() {
  const { launches, kernels, memory } = data.kernels;
  const code = (text) => element("pre", { className: "code" }, ...text.split("\n").flatMap((line) => [...coloured(line), "\n"]));
  const row = (launch, number) => {
    const kernel = kernels[launch.kernel];
    const opened = element("tr", { hidden: true }, element("td", { colSpan: 4 }));
    const name = element("button", { className: "link code", textContent: kernel.name, title: "Show its loops" });
    name.addEventListener("click", () => {
      if (opened.hidden) opened.firstChild.replaceChildren(code(kernel.text));
      opened.hidden = !opened.hidden;
    });
    const links = launch.values.flatMap((value, i) => [...(i ? [" + "] : []), finalLink(value)]);
    const buffers = launch.buffers.map(([buffer, place, type]) => element("div", {},
      element("span", { className: "muted", textContent: `${place} ` }), element("code", { textContent: `${buffer}: ${type}` })));
    return [element("tr", {}, element("td", { className: "muted", textContent: number + 1 }), element("td", {}, name),
      element("td", {}, ...links, element("div", { className: "muted", textContent: launch.layers.join(", ") })),
      element("td", {}, ...buffers)), opened];
  };
  find("kernels").replaceChildren(element("table", { className: "layers" },
    element("thead", {}, element("tr", {}, ...["", "Kernel", "Computes", "Memory it is given"].map((text) => element("th", { textContent: text })))),
    element("tbody", {}, ...launches.flatMap(row))), element("div", { className: "memory" }, element("h3", { textContent: "Memory" }), code(memory)));
}

function finalLink(name) {
  if (!data.graphs[data.overall.after].boxes.some((box) => box.name === name)) return element("code", { textContent: name });
  const link = element("button", { className: "link", textContent: name });
  link.addEventListener("click", () => {
    choose({ stage: 0, view: "picture" });
    select({ side: "after", name }, true);
  });
  return link;
}

// Boxes of the other graph for the same value: those of its name, else those of its layers.
function counterparts(side, box, other) {
  const boxes = graphOf(other).boxes, same = boxes.findIndex((candidate) => candidate.name === box.name);
  if (same >= 0) return [same];
  return ofLayers(other, box.layers);
}

function ofLayers(side, layers) {
  return graphOf(side).boxes.flatMap((box, number) => box.layers.some((layer) => layers.includes(layer)) ? [number] : []);
}

function showSelection(centering) {
  const chosen = state.selected;
  for (const [side, pane] of Object.entries(panes)) {
    let selected = [], related = [];
    if (chosen) {
      const box = graphOf(chosen.side).boxes[boxNumber(chosen.side, chosen.name)];
      if (!box) continue;
      selected = side === chosen.side ? [boxNumber(side, chosen.name)] : counterparts(chosen.side, box, side);
      related = ofLayers(side, box.layers);
      if (centering && selected.length) pane.center(selected[0]);
    }
    pane.highlight({ selected: new Set(selected), related: new Set(related) });
  }
}

function select(chosen, centering) {
  if (chosen && boxNumber(chosen.side, chosen.name) < 0) {
    // a weight has no box of its own: its reader is shown
    const reader = graphOf(chosen.side).boxes.find((box) => box.operands.some(([, name]) => name === chosen.name));
    if (!reader) return;
    chosen = { side: chosen.side, name: reader.name };
  }
  state.selected = chosen;
  if (chosen && state.view === "picture" && !panes[chosen.side]) {
    state.sides = isIdle(stage()) ? state.sides : "both";
    if (isIdle(stage())) state.selected = { side: "after", name: chosen.name };
    showStage();
  }
  showDetails();
  showSelection(centering);
  if (state.view === "text") markLine(centering);
  remember();
}

function showDetails() {
  const panel = find("details"), chosen = state.selected;
  panel.hidden = !chosen;
  if (!chosen) return;
  const { side, name } = chosen, graph = graphOf(side), number = boxNumber(side, name), box = graph.boxes[number];
  if (!box) { panel.hidden = true; return; }
  panel.style.setProperty("--hue", `var(--${box.family}, var(--other))`);
  const change = STATES[marksOf(side)[number]];
  const heading = (text) => element("h3", { textContent: text });
  const close = element("button", { className: "close", textContent: "×", title: "Close (Esc)" });
  close.addEventListener("click", () => select(null, false));
  const readers = graph.boxes.filter((other) => other.operands.some(([, , from]) => from === number));
  const list = (nodes) => nodes.flatMap((node, i) => i ? [", ", node] : [node]);
  const line = graph.text.find(([, defined]) => defined === name);
  panel.replaceChildren(close, element("h2", {}, name, ...(change ? [element("span", { className: `state ${change}`, textContent: change })] : [])),
    element("div", {}, element("span", { className: "op", textContent: box.op })), element("code", { textContent: box.type }));
  if (box.outputs) panel.append(heading("Output"), element("code", { textContent: box.outputs.join(", ") }));
  if (box.attributes.length) panel.append(heading("Attributes"), ...box.attributes.map((text) => element("div", {}, element("code", { textContent: text }))));
  if (box.operands.length) panel.append(heading("Reads"), element("dl", {}, ...box.operands.flatMap(([role, operand, from, type, path, origin]) => [
    element("dt", { textContent: role }),
    element("dd", {}, ...(from >= 0 ? [valueLink(side, operand)] : [element("code", { textContent: operand }),
      element("div", { className: "muted" }, element("code", { textContent: `${type} ${path}` }), origin ? ` ${origin}` : "")]))])));
  if (readers.length) panel.append(heading("Read by"), element("div", {}, ...list(readers.map((other) => valueLink(side, other.name)))));
  panel.append(heading("Where it came from"));
  panel.append(element("dl", {}, element("dt", { textContent: "layers" }), element("dd", {}, box.layers.length ? box.layers.join(", ") : "none"),
    element("dt", { textContent: "passes" }), element("dd", {}, box.passes.length ? box.passes.join(", ") : "none: as traced")));
  const other = side === "after" ? "before" : "after";
  const twins = [...new Set([...counterparts(side, box, other), ...ofLayers(other, box.layers)])].slice(0, 20);
  if (!isIdle(stage())) panel.append(heading(other === "before" ? "Before this pass" : "After this pass"),
    element("div", {}, ...(twins.length ? list(twins.map((twin) => valueLink(other, graphOf(other).boxes[twin].name))) : ["nothing"])));
  if (line) panel.append(heading("In the text"), element("code", { className: "line" }, ...coloured(line[0].trim())));
}

function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean), results = find("results");
  const side = "after", boxes = graphOf(side).boxes;
  const fits = (box) => {
    const all = [box.name, box.op, box.type, ...box.attributes, ...box.layers, ...box.passes,
      ...box.operands.map(([, name]) => name)].join(" ").toLowerCase();
    return words.every((word) => all.includes(word));
  };
  const found = words.length ? boxes.filter(fits) : [];
  results.replaceChildren(...found.slice(0, 60).map((box) => {
    const entry = element("li", {}, element("span", { textContent: box.name }),
      element("span", { className: "muted", textContent: `${box.op} ${box.type}` }));
    entry.addEventListener("mousedown", () => { select({ side, name: box.name }, true); results.hidden = true; });
    return entry;
  }), ...(words.length && !found.length ? [element("li", { className: "muted", textContent: "nothing found" })] : []));
  results.hidden = !words.length;
  for (const [where, pane] of Object.entries(panes)) {
    const numbers = graphOf(where).boxes.flatMap((box, number) => words.length && fits(box) ? [number] : []);
    pane.boxes.forEach((node, number) => node.classList.toggle("found", numbers.includes(number)));
  }
}

function moveResult(step) {
  const entries = [...find("results").children], old = entries.findIndex((entry) => entry.getAttribute("aria-selected") === "true");
  entries.forEach((entry) => entry.setAttribute("aria-selected", false));
  const next = entries[(old + step + entries.length) % entries.length];
  if (next) { next.setAttribute("aria-selected", true); next.scrollIntoView({ block: "nearest" }); }
}

function remember() {
  const parts = [stage().name, state.view, ...(state.selected ? [state.selected.side, state.selected.name] : [])];
  history.replaceState(null, "", `#${parts.map(encodeURIComponent).join("/")}`);
}

function recall() {
  const decoded = (text) => { try { return decodeURIComponent(text); } catch { return ""; } };
  const [name, view, side, value] = location.hash.slice(1).split("/").map(decoded);
  const number = stages.findIndex((item) => item.name === name);
  if (number >= 0) state.stage = number;
  if (VIEWS.some(([known]) => known === view)) state.view = view;
  return (side === "before" || side === "after") && value ? { side, name: value } : null;
}

function choose(change) {
  if ("stage" in change && change.stage !== state.stage) state.selected = null;
  Object.assign(state, change);
  find("passes").querySelectorAll("li").forEach((entry, number) => entry.setAttribute("aria-selected", number === state.stage));
  showStage();
  showDetails();
  remember();
}

function listen() {
  const box = find("search"), results = find("results");
  box.addEventListener("input", () => search(box.value));
  box.addEventListener("blur", () => { results.hidden = true; });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") moveResult(1);
    else if (event.key === "ArrowUp") moveResult(-1);
    else if (event.key === "Enter") {
      const entry = results.querySelector("[aria-selected=true]") || results.firstElementChild;
      if (entry) entry.dispatchEvent(new Event("mousedown"));
      box.blur();
    } else if (event.key === "Escape") { box.value = ""; search(""); box.blur(); }
    else return;
    event.preventDefault();
  });
  find("previous-change").addEventListener("click", () => stepChange(-1));
  find("next-change").addEventListener("click", () => stepChange(1));
  find("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  const step = (by) => choose({ stage: Math.min(stages.length - 1, Math.max(0, state.stage + by)) });
  const keys = {
    "/": () => box.focus(), f: () => Object.values(panes).forEach((pane) => pane.fit()), n: () => stepChange(1), p: () => stepChange(-1),
    ArrowDown: () => step(1), ArrowUp: () => step(-1), j: () => step(1), k: () => step(-1), Escape: () => select(null, false),
  };
  document.addEventListener("keydown", (event) => {
    if (event.target === box || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  window.addEventListener("resize", () => Object.values(panes).forEach((pane) => pane.drawMap()));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  Object.values(panes).forEach((pane) => pane.drawMap());
}

function signature(list) { return list.map((value) => `${value.name}: ${value.type}`).join(", "); }

find("model-name").textContent = data.name;
find("signature").textContent = `${signature(data.inputs)}  →  ${signature(data.outputs)}`;
setTheme(window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
listen();
const recalled = recall();
showPasses();
showStage();
if (recalled) select(recalled, true);
