"use strict";
const flow = JSON.parse(document.getElementById("flow").textContent);
const SVG = "http://www.w3.org/2000/svg";
const canvas = document.getElementById("canvas"), view = document.getElementById("view"), details = document.getElementById("details");
const nodes = new Map(), edges = [];

// texts of dialogues only ever become text nodes
function make(parent, name, attributes = {}, text = null) {
  const isSvg = parent instanceof SVGElement;
  const element = isSvg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

function percent(share) { return (100 * share).toFixed(share < .1 ? 1 : 0) + " %"; }

function outline(points) {
  let path = `M${points[0]}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]], middle = (a[1] + b[1]) / 2;
    path += `C${a[0]} ${middle} ${b[0]} ${middle} ${b[0]} ${b[1]}`;
  }
  return path;
}

function arrowhead(id, colour) {
  const marker = make(definitions, "marker", {id, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 9, markerHeight: 9,
    orient: "auto", markerUnits: "userSpaceOnUse"});
  make(marker, "path", {d: "M0 1L10 5L0 9z", fill: colour});
}

const definitions = make(view, "defs");
arrowhead("arrow", flow.colours.edge);
arrowhead("arrow-main", flow.colours.main);

for (const edge of flow.edges) {
  const group = make(view, "g", {class: edge.main ? "edge main" : "edge"});
  make(group, "path", {d: outline(edge.points), stroke: flow.colours[edge.main ? "main" : "edge"], opacity: edge.opacity,
    "stroke-width": edge.width, "marker-end": `url(#arrow${edge.main ? "-main" : ""})`});
  if (edge.label) make(group, "text", {x: edge.label_at[0], y: edge.label_at[1] + 3}, edge.label);
  make(group, "title", {}, `${edge.from} → ${edge.to}: ${percent(edge.probability)}, ${edge.count}`);
  edges.push({...edge, group});
}

for (const node of flow.nodes) {
  const group = make(view, "g", {class: "node", tabindex: 0, role: "button", "aria-label": [node.heading, ...node.lines].join(" ")});
  const [width, height] = node.lines.length ? flow.box : [110, 34];
  const left = node.centre[0] - width / 2, top = node.centre[1] - height / 2;
  make(group, "rect", {x: left, y: top, width, height, rx: node.lines.length ? 8 : 17, fill: flow.colours[node.kind],
    stroke: flow.colours[node.main ? "main" : node.kind + " line"], "stroke-width": node.main ? 2.4 : 1});
  if (node.lines.length) {
    let line = top + 17;
    if (node.heading) { make(group, "text", {x: left + 9, y: line, class: "heading"}, node.heading); line += 16; }
    for (const text of node.lines) { make(group, "text", {x: left + 9, y: line}, text); line += 15; }
    make(group, "text", {x: left + 9, y: top + height - 8, class: "small"}, node.small);
  } else make(group, "text", {x: node.centre[0], y: node.centre[1] + 4, class: "heading", "text-anchor": "middle"}, node.heading);
  group.addEventListener("click", () => { if (!moved) choose(node.name === chosen ? null : node.name); });
  group.addEventListener("focus", () => { if (group.matches(":focus-visible")) centre(node); });
  group.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(node.name); } });
  nodes.set(node.name, {...node, group});
}

let chosen = null;
function choose(name) {
  chosen = name;
  view.classList.toggle("chosen-one", name !== null);
  const near = new Set();
  for (const edge of edges) {
    const touches = edge.from === name || edge.to === name;
    edge.group.classList.toggle("near", touches);
    if (touches) near.add(edge.from).add(edge.to);
  }
  for (const [other, node] of nodes) {
    node.group.classList.toggle("near", near.has(other));
    node.group.classList.toggle("chosen", other === name);
  }
  describe(name);
}

function list(title, items, fill) {
  if (!items.length) return;
  make(details, "h3", {}, title);
  const lines = make(details, "ul");
  for (const item of items) fill(make(lines, "li"), item);
}

function describe(name) {
  details.replaceChildren();
  if (name === null) {
    make(details, "h2", {}, "Flow");
    make(details, "p", {class: "small"}, "Choose a step to see its utterances and transitions. Drag to move, turn the wheel to zoom.");
    list("Way of a typical dialogue", flow.main_path, jump);
    for (const line of flow.notes) make(details, "p", {class: "small"}, line);
    return;
  }
  const node = nodes.get(name);
  make(details, "h2", {}, node.lines.length ? `${name}, ${node.kind}` : name);
  if (node.small) make(details, "p", {class: "small"}, node.small);
  list("Actions", node.actions, (item, [action, count]) => { item.textContent = `${action} (${count})`; });
  list("Utterances, the most typical first", node.examples, (item, text) => { item.textContent = text; });
  const step = end => (item, edge) => { make(item, "span", {}, `${percent(edge.probability)} `); jump(item, edge[end]); };
  const most = (a, b) => b.count - a.count;
  list("Next", edges.filter(edge => edge.from === name).sort(most), step("to"));
  list("Before", edges.filter(edge => edge.to === name).sort(most), step("from"));
}

function jump(item, name) {
  const node = nodes.get(name);
  const text = node.lines.length ? `${name}: ${node.heading || node.lines.join(" ")}` : name;
  make(item, "button", {type: "button"}, text).addEventListener("click", () => { choose(name); centre(node); });
}

const probability = document.getElementById("probability"), share = document.getElementById("share");
const onlyMain = document.getElementById("only-main"), find = document.getElementById("find");
function filter() {
  document.getElementById("probability-value").textContent = percent(probability.value / 100);
  document.getElementById("share-value").textContent = percent(share.value / 100);
  for (const node of nodes.values()) {
    node.shown = node.main || (!onlyMain.checked && node.share >= share.value / 100);
    node.group.classList.toggle("hidden", !node.shown);
    const texts = [node.name, node.heading, ...node.examples, ...node.actions.map(action => action[0])].join("\n").toLowerCase();
    node.group.classList.toggle("match", find.value !== "" && texts.includes(find.value.toLowerCase()));
  }
  for (const edge of edges) {
    const shown = edge.main || (!onlyMain.checked && edge.probability >= probability.value / 100);
    edge.group.classList.toggle("hidden", !(shown && nodes.get(edge.from).shown && nodes.get(edge.to).shown));
  }
}
for (const control of [probability, share, onlyMain, find]) control.addEventListener("input", filter);

let scale = 1, x = 0, y = 0, held = null, moved = false, touched = false;
function move() { view.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`); }
function fit() {
  const {width, height} = canvas.getBoundingClientRect();
  if (touched || !width) return;
  // readable at first: the whole width, the beginning of the dialogues
  scale = Math.max(.35, Math.min(1, (width - 20) / flow.size[0]));
  x = width / 2 - nodes.get("start").centre[0] * scale;
  if (flow.size[0] * scale <= width) x = (width - flow.size[0] * scale) / 2;
  y = flow.size[1] * scale <= height ? (height - flow.size[1] * scale) / 2 : 10;
  move();
}
function centre(node) {
  touched = true;
  const {width, height} = canvas.getBoundingClientRect();
  [x, y] = [width / 2 - node.centre[0] * scale, height / 2 - node.centre[1] * scale];
  move();
}
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  touched = true;
  const box = canvas.getBoundingClientRect(), [px, py] = [event.clientX - box.left, event.clientY - box.top];
  const next = Math.min(4, Math.max(.08, scale * Math.exp(-event.deltaY / 600)));
  [x, y, scale] = [px - (px - x) * next / scale, py - (py - y) * next / scale, next];
  move();
}, {passive: false});
canvas.addEventListener("pointerdown", event => { held = [event.clientX - x, event.clientY - y, event.clientX, event.clientY]; moved = false; });
window.addEventListener("pointermove", event => {
  if (!held) return;
  if (Math.hypot(event.clientX - held[2], event.clientY - held[3]) > 4) moved = true;
  if (moved) { touched = true; [x, y] = [event.clientX - held[0], event.clientY - held[1]]; move(); }
});
window.addEventListener("pointerup", () => { held = null; });
new ResizeObserver(fit).observe(canvas);  // a frame has no size at first
window.addEventListener("keydown", event => { if (event.key === "Escape") choose(null); });
filter();
describe(null);
