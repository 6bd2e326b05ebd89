"use strict";
// One picture of a graph that can be moved and zoomed, with a small map of all of it beside it.

const STATES = { "-": "removed", "+": "added", "~": "changed", ".": "" };
const MAP_WIDTH = 54;

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function shape(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function shortened(text, letters) {
  return text.length > letters ? text.slice(0, Math.max(1, letters - 1)) + "…" : text;
}

class Pane {
  // `marks` holds one letter a box; `onSelect` is told the number of a box, or -1.
  constructor(graph, marks, label, onSelect) {
    this.graph = graph;
    this.marks = marks;
    this.onSelect = onSelect;
    this.view = { x: 0, y: 0, scale: 1 };
    this.world = shape("g");
    this.svg = shape("svg", { role: "img", "aria-label": label }, Pane.markers(), this.world);
    this.map = element("canvas", { title: "The whole graph" });
    this.root = element("div", { className: "pane" }, this.svg, this.map, this.zoomButtons(),
      element("div", { className: "label", textContent: label }));
    this.draw();
    this.listen();
  }

  static markers() {
    const arrow = (id) => shape("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7,
      markerHeight: 7, markerUnits: "userSpaceOnUse", orient: "auto" }, shape("path", { d: "M0 0L8 4L0 8z" }));
    return shape("defs", {}, arrow("arrow"), arrow("arrow-lit"));
  }

  zoomButtons() {
    const button = (text, title, action) => {
      const node = element("button", { textContent: text, title });
      node.addEventListener("click", action);
      return node;
    };
    return element("div", { className: "zoom" },
      button("+", "Zoom in", () => this.zoom(1.35)),
      button("−", "Zoom out", () => this.zoom(1 / 1.35)),
      button("Fit", "Show all (f)", () => this.fit()));
  }

  draw() {
    this.wires = this.graph.lines.map(([, , path]) => shape("path", { class: "wire", d: path }));
    this.boxes = this.graph.boxes.map((box, number) => this.drawBox(box, number));
    this.world.append(...this.wires, ...this.boxes);
  }

  drawBox(box, number) {
    const state = STATES[this.marks[number]], left = -box.w / 2, top = -box.h / 2;
    const terminal = box.op === "input" ? " terminal" : "";
    const group = shape("g", { class: `box ${state}${terminal}`, transform: `translate(${box.x} ${box.y})`,
      style: `--hue: var(--${box.family}, var(--other))`, "data-number": number });
    const text = (kind, y, content, letter) => {
      const node = shape("text", { class: kind, x: left + 16, y });
      node.textContent = shortened(content, Math.floor((box.w - 24) / letter));
      return node;
    };
    const title = shape("title");
    title.textContent = [box.name, [box.op, ...box.attributes].join(" "), box.type, ...box.layers].join("\n");
    group.append(title,
      shape("rect", { class: "body", x: left, y: top, width: box.w, height: box.h, rx: 8 }),
      shape("rect", { class: "family", x: left + 5, y: top + 6, width: 4, height: box.h - 12, rx: 2 }),
      text("name", top + 18, box.name, 7.6),
      text("op", top + 34, [box.op, ...box.attributes].join(" "), 6.2),
      text("type", top + 49, box.outputs ? `${box.type}  → ${box.outputs.join(", ")}` : box.type, 6.6));
    return group;
  }

  listen() {
    const pointers = new Map();
    let moved = 0, spread = 0;
    this.svg.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      moved = 0; spread = 0;
    });
    this.svg.addEventListener("pointermove", (event) => {
      const old = pointers.get(event.pointerId);
      if (!old) return;
      const [dx, dy] = [event.clientX - old[0], event.clientY - old[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      if (moved > 3) this.svg.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (pointers.size === 2) {
        const [a, b] = [...pointers.values()], now = Math.hypot(a[0] - b[0], a[1] - b[1]);
        if (spread) this.zoom(now / spread, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
        spread = now;
      } else this.move(this.view.x + dx, this.view.y + dy);
    });
    const release = (event) => pointers.delete(event.pointerId);
    this.svg.addEventListener("pointerup", release);
    this.svg.addEventListener("pointercancel", release);
    this.svg.addEventListener("click", (event) => {
      const box = event.target.closest(".box");
      if (moved <= 3) this.onSelect(box ? Number(box.dataset.number) : -1);
    });
    this.svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      // a mouse wheel zooms; two fingers on a pad move, and pinch with ctrl
      const isPad = !event.ctrlKey && (event.deltaX !== 0 || Math.abs(event.deltaY) < 40) && event.deltaMode === 0;
      if (isPad || event.shiftKey) this.move(this.view.x - event.deltaX, this.view.y - event.deltaY);
      else this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX, event.clientY);
    }, { passive: false });
    const jump = (event) => {
      if (!event.buttons) return;
      this.map.setPointerCapture(event.pointerId);
      const place = (event.clientY - this.map.getBoundingClientRect().top) / this.mapScale();
      this.move(this.view.x, this.size().height / 2 - place * this.view.scale);
    };
    this.map.addEventListener("pointerdown", jump);
    this.map.addEventListener("pointermove", jump);
  }

  size() {
    const { width, height } = this.root.getBoundingClientRect();
    return { width: Math.max(width - MAP_WIDTH, 50), height: Math.max(height, 50) };
  }

  move(x, y, scale = this.view.scale) {
    this.view = { x, y, scale };
    this.world.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${scale.toFixed(4)})`);
    this.svg.classList.toggle("far", scale < 0.5);
    this.svg.classList.toggle("distant", scale < 0.28);
    if (!this.waiting) {
      this.waiting = true;
      requestAnimationFrame(() => { this.waiting = false; this.drawMap(); });
    }
  }

  zoom(factor, clientX, clientY) {
    const area = this.root.getBoundingClientRect(), { width, height } = this.size();
    const x = clientX === undefined ? width / 2 : clientX - area.left;
    const y = clientY === undefined ? height / 2 : clientY - area.top;
    const scale = Math.min(3, Math.max(0.02, this.view.scale * factor)), ratio = scale / this.view.scale;
    this.move(x - (x - this.view.x) * ratio, y - (y - this.view.y) * ratio, scale);
  }

  fit() {
    const { width, height } = this.size(), { width: w, height: h } = this.graph;
    const scale = Math.min(1, (width - 40) / Math.max(w, 1), (height - 60) / Math.max(h, 1));
    this.move((width - w * scale) / 2, (height - h * scale) / 2 + 10, scale);
  }

  // The whole graph where it can be read, else its width from the top.
  start() {
    const { width, height } = this.size(), { width: w, height: h } = this.graph;
    const scale = Math.max(Math.min(1, (width - 40) / Math.max(w, 1)), 0.8);
    if (h * scale < height - 60) this.move((width - w * scale) / 2, 50, scale);
    else {
      const first = this.graph.boxes[0];
      this.move(w * scale < width ? (width - w * scale) / 2 : width / 2 - (first ? first.x : 0) * scale, 50, scale);
    }
  }

  center(number) {
    const box = this.graph.boxes[number], { width, height } = this.size();
    const scale = Math.max(this.view.scale, 0.7), bottom = height - this.graph.height * scale - 50;
    // no emptiness above the first box or below the last
    const y = Math.min(50, Math.max(height / 2 - box.y * scale, Math.min(bottom, 50)));
    this.move(width / 2 - box.x * scale, y, scale);
  }

  mapScale() { return this.root.getBoundingClientRect().height / Math.max(this.graph.height, 1); }

  drawMap() {
    const height = this.root.getBoundingClientRect().height, density = window.devicePixelRatio || 1;
    const canvas = this.map, context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    canvas.width = MAP_WIDTH * density; canvas.height = height * density;
    context.scale(density, density);
    const down = this.mapScale(), across = (MAP_WIDTH - 8) / Math.max(this.graph.width, 1);
    const colours = { "-": "--red", "+": "--green", "~": "--amber", ".": "--line" };
    const paint = (mark) => {
      context.fillStyle = style.getPropertyValue(colours[mark]);
      this.graph.boxes.forEach((box, number) => {
        if (this.marks[number] !== mark) return;
        const w = Math.max(box.w * across, 5), h = Math.min(Math.max(box.h * down, mark === "." ? 1.5 : 3), 12);
        context.fillRect(4 + box.x * across - w / 2, box.y * down - h / 2, w, h);
      });
    };
    [".", "~", "-", "+"].forEach(paint);
    const top = -this.view.y / this.view.scale * down, shown = height / this.view.scale * down;
    context.strokeStyle = style.getPropertyValue("--accent");
    context.lineWidth = 1.5;
    context.strokeRect(1, Math.max(1, top), MAP_WIDTH - 2, Math.min(shown, height - 2));
  }

  // The boxes whose numbers are in the sets get the classes of their names.
  highlight(classes) {
    this.boxes.forEach((node, number) => {
      for (const [name, numbers] of Object.entries(classes)) node.classList.toggle(name, numbers.has(number));
    });
    const lit = classes.selected;
    this.wires.forEach((wire, i) => {
      const [source, target] = this.graph.lines[i];
      wire.classList.toggle("lit", lit.has(source) || lit.has(target));
    });
  }
}
