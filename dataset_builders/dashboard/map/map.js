// Points on a plane, drawn into a canvas. Each pixel has the mean colour of its points and grows denser with their
// number, so no group hides another one. Texts only ever become text nodes.

const MAPS = new WeakMap();
const SHADES = 1024; // entries of the table of opacities
const MOST_PIXELS = 2_000_000;

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".map");
  if (!root || !data) return;
  let map = MAPS.get(root);
  if (!map) MAPS.set(root, (map = new Plane(root, parentElement.querySelector(".legend"))));
  map.send = setTriggerValue;
  map.load(data);
}

class Plane {
  constructor(root, legend) {
    this.root = root;
    this.legend = legend;
    this.canvas = root.querySelector("canvas");
    this.outline = root.querySelector("polygon");
    this.labels = root.querySelector(".labels");
    this.tip = root.querySelector(".tip");
    this.zoom = 1;
    this.mode = "pan";
    this.picked = new Set();
    this.pointers = new Map();
    for (const button of root.querySelectorAll("button")) {
      button.addEventListener("click", () => this.use(button.dataset.tool));
    }
    const listen = (name, act) => this.canvas.addEventListener(name, act, { passive: false });
    listen("pointerdown", (event) => this.press(event));
    listen("pointermove", (event) => this.move(event));
    listen("pointerup", (event) => this.release(event));
    listen("pointercancel", (event) => this.release(event));
    listen("pointerleave", () => this.hide());
    listen("wheel", (event) => {
      event.preventDefault();
      this.scale(Math.exp(-event.deltaY / 400), ...this.place(event));
    });
    listen("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(root);
  }

  load(data) {
    const bytes = data.slice().buffer;
    const length = new DataView(bytes).getUint32(0, true);
    this.header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
    const { count, texts } = this.header;
    let start = 4 + Math.ceil(length / 4) * 4;
    this.x = new Uint16Array(bytes, start, count);
    this.y = new Uint16Array(bytes, (start += 2 * count), count);
    this.code = new Uint8Array(bytes, (start += 2 * count), count);
    this.lit = new Uint8Array(bytes, (start += count), count);
    if (this.of !== this.header.of) {
      this.of = this.header.of;
      this.reset();
    }
    if (this.by !== this.header.by) {
      this.by = this.header.by;
      this.picked.clear();
    }
    this.area = this.header.area;
    this.canvas.setAttribute("aria-label", texts.title);
    for (const button of this.root.querySelectorAll("button")) {
      button.title = texts[button.dataset.tool];
      button.setAttribute("aria-label", texts[button.dataset.tool]);
    }
    this.name();
    this.draw();
  }

  reset() {
    this.zoom = 1;
    this.centre = [this.header.width / 2, this.header.height / 2];
  }

  use(tool) {
    if (tool === "nearer") this.scale(1.6);
    else if (tool === "farther") this.scale(1 / 1.6);
    else if (tool === "whole") {
      this.reset();
      this.draw();
    } else if (tool === "clear") this.send("area", "");
    else {
      this.mode = tool;
      this.canvas.dataset.mode = tool;
      for (const button of this.root.querySelectorAll("[aria-pressed]")) {
        button.setAttribute("aria-pressed", button.dataset.tool === tool);
      }
    }
  }

  // pixels of the page, from the corner of the canvas
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  size() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const fit = 0.92 * Math.min(width / this.header.width, height / this.header.height);
    return { width, height, unit: fit * this.zoom };
  }

  toScreen(x, y) {
    const { width, height, unit } = this.size();
    return [(x - this.centre[0]) * unit + width / 2, height / 2 - (y - this.centre[1]) * unit];
  }

  toMap(x, y) {
    const { width, height, unit } = this.size();
    return [(x - width / 2) / unit + this.centre[0], (height / 2 - y) / unit + this.centre[1]];
  }

  scale(factor, x, y) {
    const { width, height } = this.size();
    x = x ?? width / 2;
    y = y ?? height / 2;
    const before = this.toMap(x, y);
    this.zoom = Math.min(200, Math.max(0.5, this.zoom * factor));
    const after = this.toMap(x, y);
    this.centre = this.centre.map((value, axis) => value + before[axis] - after[axis]);
    this.moved();
  }

  shift(x, y) {
    const { unit } = this.size();
    this.centre = [this.centre[0] - x / unit, this.centre[1] + y / unit];
    this.moved();
  }

  // while the view moves, a slow machine draws a part of the points
  moved() {
    this.moving = true;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.moving = false;
      this.draw();
    }, 150);
    this.draw();
  }

  key(event) {
    const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (event.key in steps) this.shift(...steps[event.key]);
    else if (event.key === "+" || event.key === "=") this.scale(1.3);
    else if (event.key === "-") this.scale(1 / 1.3);
    else if (event.key === "0") this.use("whole");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  press(event) {
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    this.start = this.place(event);
    this.path = [this.start];
    this.far = this.pointers.size > 1;
    this.hide();
  }

  move(event) {
    const now = this.place(event);
    const last = this.pointers.get(event.pointerId);
    if (!last) {
      this.hover(now);
      return;
    }
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
      this.scale(distance(now, other) / Math.max(1, distance(last, other)), ...middle);
      this.shift((now[0] - last[0]) / 2, (now[1] - last[1]) / 2);
    } else {
      this.far = this.far || distance(now, this.start) > 5;
      if (this.far && this.mode === "pan") this.shift(now[0] - last[0], now[1] - last[1]);
      else if (this.far) this.enclose(now);
    }
    this.pointers.set(event.pointerId, now);
  }

  enclose(now) {
    const [x, y] = this.start;
    if (this.mode === "box") this.path = [this.start, [now[0], y], now, [x, now[1]]];
    else if (distance(now, this.path.at(-1)) > 4) this.path.push(now);
    this.outline.setAttribute("points", this.path.join(" "));
  }

  release(event) {
    if (!this.pointers.delete(event.pointerId) || this.pointers.size) return;
    if (event.type === "pointercancel") return;
    if (!this.far) {
      const point = this.nearest(this.place(event), event.pointerType === "touch" ? 22 : 10);
      if (point >= 0) this.send("point", point);
    } else if (this.mode !== "pan" && this.path.length > 2) {
      const every = Math.ceil(this.path.length / 60);
      const corners = this.path.filter((_, number) => number % every === 0).map((place) => this.toMap(...place));
      const whole = (value) => Math.min(9999, Math.max(0, Math.round(value * 9999)));
      this.area = corners.map(([x, y]) => [whole(x), whole(y)]);
      this.draw();
      this.send("area", this.area.map((corner) => corner.join(".")).join("~"));
    }
  }

  // index of the point that is drawn nearest to a place on the screen, -1 for none
  nearest(place, reach) {
    const [x, y] = this.toMap(...place).map((value) => value * 65535);
    let best = ((reach / this.size().unit) * 65535) ** 2;
    let found = -1;
    for (let i = 0; i < this.x.length; i++) {
      const apart = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
      if (apart < best && (!this.header.hits || this.lit[i])) [best, found] = [apart, i];
    }
    return found;
  }

  hover(place) {
    if (this.hovering) return;
    this.hovering = requestAnimationFrame(() => {
      this.hovering = 0;
      const point = this.nearest(place, 10);
      if (point < 0) {
        this.hide();
        return;
      }
      const { names, tips } = this.header;
      this.tip.textContent = [tips[point], names[this.code[point]]].filter(Boolean).join("\n");
      const { width, height } = this.size();
      const right = place[0] > width / 2;
      const low = place[1] > height / 2;
      this.tip.style.left = right ? "" : `${place[0] + 14}px`;
      this.tip.style.right = right ? `${width - place[0] + 14}px` : "";
      this.tip.style.top = low ? "" : `${place[1] + 10}px`;
      this.tip.style.bottom = low ? `${height - place[1] + 10}px` : "";
      this.tip.hidden = false;
    });
  }

  hide() {
    this.tip.hidden = true;
  }

  // the legend, whose entries light up their points
  name() {
    const { names, colours, counts } = this.header;
    this.legend.replaceChildren(
      ...names.map((name, code) => {
        const entry = document.createElement("button");
        const swatch = document.createElement("i");
        swatch.style.background = colours[code];
        const count = document.createElement("small");
        count.textContent = counts[code];
        entry.append(swatch, name, count);
        entry.setAttribute("aria-pressed", this.picked.has(code));
        entry.addEventListener("click", () => {
          if (!this.picked.delete(code)) this.picked.add(code);
          entry.setAttribute("aria-pressed", this.picked.has(code));
          this.draw();
        });
        return entry;
      }),
    );
  }

  draw() {
    if (this.drawing || !this.header) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      const { width, height } = this.size();
      if (width < 1 || height < 1) return;
      const began = performance.now();
      this.paint(width, height);
      const took = performance.now() - began;
      if (!this.moving) this.slow = took > 40;
      this.root.dataset.milliseconds = took.toFixed(1);
      this.root.dataset.drawn = this.header.count;
      this.write(width, height);
      const corners = this.area.map(([x, y]) => this.toScreen(x / 9999, y / 9999));
      this.outline.setAttribute("points", corners.join(" "));
    });
  }

  paint(width, height) {
    const density = Math.min(devicePixelRatio || 1, Math.sqrt(MOST_PIXELS / (width * height)));
    const w = Math.round(width * density);
    const h = Math.round(height * density);
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.sums = new Float32Array(4 * w * h);
      this.image = new ImageData(w, h);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    const { x, y, code, lit, sums, pixels } = this;
    const { count, hits } = this.header;
    sums.fill(0);
    const radius = Math.min(6, 1.15 * density * Math.sqrt(this.zoom) * (30_000 / Math.max(count, 500)) ** 0.35);
    const [small, large] = [disc(radius, w), disc(Math.max(radius * 1.5, 2), w)];
    const margin = Math.ceil(Math.max(radius * 1.5, 2)) + 1;
    const unit = (this.size().unit * density) / 65535;
    const left = w / 2 - this.centre[0] * 65535 * unit;
    const top = h / 2 + this.centre[1] * 65535 * unit;
    const colours = this.header.colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
    const every = this.moving && this.slow ? Math.ceil(count / 100_000) : 1;
    for (let i = 0; i < count; i += every) {
      const across = (x[i] * unit + left) | 0;
      const down = (top - y[i] * unit) | 0;
      if (across < margin || down < margin || across >= w - margin || down >= h - margin) continue;
      const isLit = (!hits || lit[i]) && (!this.picked.size || this.picked.has(code[i]));
      const stands = isLit && (hits || this.picked.size);
      const weight = (isLit ? (stands ? 4 : 1) : 0.12) * every;
      const colour = isLit ? colours[code[i]] : [128, 128, 128];
      const red = colour[0] * weight;
      const green = colour[1] * weight;
      const blue = colour[2] * weight;
      const pixel = down * w + across;
      const marks = stands && hits ? large : small;
      for (let k = 0; k < marks.length; k++) {
        const at = 4 * (pixel + marks[k]);
        sums[at] += red;
        sums[at + 1] += green;
        sums[at + 2] += blue;
        sums[at + 3] += weight;
      }
    }
    const shade = shades(count > 100_000 ? 0.9 : 1.4);
    for (let pixel = 0, at = 0; pixel < pixels.length; pixel++, at += 4) {
      const weight = sums[at + 3];
      pixels[pixel] =
        weight === 0
          ? 0
          : (shade[Math.min(SHADES - 1, (weight * 32) | 0)] << 24) |
            ((sums[at + 2] / weight) << 16) |
            ((sums[at + 1] / weight) << 8) |
            (sums[at] / weight);
    }
    this.canvas.getContext("2d").putImageData(this.image, 0, 0);
  }

  // labels of clusters: large ones first, and none over another one
  write(width, height) {
    const frame = this.canvas.getBoundingClientRect();
    const tools = this.root.querySelector(".tools").getBoundingClientRect();
    const spans = [];
    // middle and half of the size of each place that is taken
    const [across, down] = [tools.left - frame.left + tools.width / 2, tools.top - frame.top + tools.height / 2];
    const taken = [[across, down, tools.width / 2, tools.height / 2]];
    for (const { x, y, text, level } of this.header.labels) {
      if (level > 0 && this.zoom < 1.7) continue;
      const [across, down] = this.toScreen(x, y);
      const half = [text.length * 3.6 + 6, 11];
      if (across < half[0] || down < half[1] || across > width - half[0] || down > height - half[1]) continue;
      const overlaps = ([x, y, width, height]) =>
        Math.abs(x - across) < width + half[0] && Math.abs(y - down) < height + half[1];
      if (taken.some(overlaps)) continue;
      taken.push([across, down, ...half]);
      const span = document.createElement("span");
      span.textContent = text;
      span.style.left = `${across}px`;
      span.style.top = `${down}px`;
      spans.push(span);
    }
    this.labels.replaceChildren(...spans);
  }
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

// offsets of the pixels of a disc in a picture of this width
function disc(radius, width) {
  const offsets = [];
  const reach = Math.round(radius);
  for (let down = -reach; down <= reach; down++) {
    for (let across = -reach; across <= reach; across++) {
      if (Math.hypot(across, down) <= radius + 0.4) offsets.push(down * width + across);
    }
  }
  return offsets.length ? offsets : [0];
}

// opacity by 32 times the weight of a pixel
function shades(strength) {
  return Uint8Array.from({ length: SHADES }, (_, step) => 255 * (1 - Math.exp((-strength * (step + 0.5)) / 32)));
}
