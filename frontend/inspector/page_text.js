"use strict";
// The text of a graph before and after a pass, side by side.

const CONTEXT = 4;

// Comments, strings, numbers and the names of ops in colours.
function coloured(line) {
  const parts = [], pattern = /(  # .*$)|("(?:[^"\\]|\\.)*")|(\b[a-z_0-9]+(?=\())|((?<![\w.])-?\d[\w.+-]*)/g;
  let end = 0;
  for (const found of line.matchAll(pattern)) {
    parts.push(line.slice(end, found.index));
    const kind = found[1] ? "c" : found[2] ? "s" : found[3] ? "o" : "d";
    parts.push(element("span", { className: kind, textContent: found[0] }));
    end = found.index + found[0].length;
  }
  parts.push(line.slice(end));
  return parts;
}

// What differs between two versions of a line, word by word from both ends.
function marked(line, other) {
  if (other === undefined) return coloured(line);
  const split = (text) => text.match(/\w+|\s+|[^\w\s]/g) || [];
  const a = split(line), b = split(other), shortest = Math.min(a.length, b.length);
  let head = 0, tail = 0;
  while (head < shortest && a[head] === b[head]) head++;
  while (tail < shortest - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const middle = a.slice(head, a.length - tail).join("");
  return [...coloured(a.slice(0, head).join("")), ...(middle ? [element("mark", {}, middle)] : []),
    ...coloured(a.slice(a.length - tail).join(""))];
}

// Lines that define the same value stand side by side; the others follow in their own order.
function paired(left, right, a0, a1, b0, b1) {
  const rows = [];
  let i = a0, j = b0;
  while (i < a1 || j < b1) {
    const name = i < a1 && left[i][1];
    let match = -1;
    if (name) for (let k = j; k < b1; k++) if (right[k][1] === name) { match = k; break; }
    if (i < a1 && match < 0) rows.push([i++, -1]);
    else if (match < 0 || match > j) rows.push([-1, j++]);
    else rows.push([i++, j++]);
  }
  // what was removed stands beside what came in its place
  const compact = [];
  for (const row of rows) {
    const gap = compact.findLastIndex(([x, y]) => x >= 0 && y >= 0) + 1;
    const free = compact.findIndex(([x, y], n) => n >= gap && (row[0] < 0 ? y < 0 : x < 0));
    if (row[0] >= 0 && row[1] >= 0 || free < 0) compact.push(row);
    else if (row[0] < 0) compact[free] = [compact[free][0], row[1]];
    else compact[free] = [row[0], compact[free][1]];
  }
  return compact;
}

function textView(before, after, blocks, onSelect) {
  const table = element("table", { className: "code" }), body = element("tbody");
  const left = before.text, right = after.text;
  const cells = (lines, number, state, other) => number < 0
    ? [element("td", { className: "number" }), element("td")]
    : [element("td", { className: "number", textContent: number + 1 }),
      element("td", { className: state }, ...(state ? marked(lines[number][0], other) : coloured(lines[number][0])))];
  const row = (i, j, same) => {
    const both = i >= 0 && j >= 0;
    const line = element("tr", {},
      ...cells(left, i, same ? "" : "removed", both ? right[j][0] : undefined),
      ...cells(right, j, same ? "" : "added", both ? left[i][0] : undefined));
    const side = j >= 0 ? "after" : "before", name = j >= 0 ? right[j][1] : left[i][1];
    if (name) {
      line.dataset.name = name;
      line.addEventListener("click", () => onSelect(side, name));
    }
    return line;
  };
  const fold = (a, b, count) => {
    const line = element("tr", { className: "fold", tabIndex: 0 }, element("td", { colSpan: 4,
      textContent: `${count} equal lines` }));
    const open = () => line.replaceWith(...Array.from({ length: count }, (_, k) => row(a + k, b + k, true)));
    line.addEventListener("click", open);
    line.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
    return line;
  };
  const unchanged = blocks.every(([same]) => same);
  for (const [same, a0, a1, b0, b1] of blocks) {
    if (!same) {
      for (const [i, j] of paired(left, right, a0, a1, b0, b1)) body.append(row(i, j, false));
      continue;
    }
    const count = a1 - a0, head = a0 === 0 ? 0 : CONTEXT, tail = a1 === left.length ? 0 : CONTEXT;
    const folded = unchanged || count <= head + tail + 1 ? 0 : count - head - tail;
    for (let k = 0; k < count; k++) {
      if (folded && k === head) { body.append(fold(a0 + k, b0 + k, folded)); k += folded; }
      if (k < count) body.append(row(a0 + k, b0 + k, true));
    }
  }
  table.append(body);
  return table;
}
