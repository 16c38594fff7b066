// Helpers over the DOM, and times as texts. Text only ever enters the page by `textContent`.

export const $ = (id) => document.getElementById(id);
export const on = (target, kind, act) => target.addEventListener(kind, act);

// Makes an element. A function becomes a listener, `text` the text, everything else an attribute.
export function h(tag, attributes = {}, ...children) {
	const space = /^(svg|path|use|rect)$/.test(tag) ? "2000/svg" : "1999/xhtml";
	const element = document.createElementNS(`http://www.w3.org/${space}`, tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") on(element, name, value);
		else if (name === "text") element.textContent = value;
		else mark(element, name, value);
	}
	element.append(...children);
	return element;
}

// Sets a text, and touches the DOM only if it differs.
export function put(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

// Sets an attribute; `true` is one without a value, and `null` or `false` removes it.
export function mark(element, name, value) {
	if (value == null || value === false) element.removeAttribute(name);
	else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

export const icon = (state) => turn(h("svg", { class: "icon", viewBox: "0 0 12 12", "aria-hidden": "true" }, h("use")), state);

export function turn(svg, state) {
	mark(svg.firstChild, "href", `#i-${{ delayed: "clock", scheduled: "clock", throttled: "clock" }[state] ?? state}`);
	return svg;
}

// Sends a query of the address of this page. A large tree takes long on a slow line.
export const ask = (query, method) => fetch(`?${query}`, { method, signal: AbortSignal.timeout(30_000) });

const two = (n, width = 2) => String(n).padStart(width, "0");

// `12s`, `3m 12s`, `3d 04h`.
export function age(ms) {
	const [s, m, h] = [1e3, 6e4, 36e5].map((unit) => Math.max(0, Math.floor(ms / unit)));
	if (m < 1) return `${s}s`;
	if (h < 1) return `${m}m ${two(s % 60)}s`;
	return h < 24 ? `${h}h ${two(m % 60)}m` : `${Math.floor(h / 24)}d ${two(h % 24)}h`;
}

// The time that is left, never `0s`.
export const left = (ms) => (ms <= 0 ? "now" : age(ms + 999));

// How long an attempt took: `4ms`, `1.2s`.
export const took = (ms) => (ms < 1000 ? `${ms}ms` : ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : age(ms));

export function clock(ms, millis) {
	const d = new Date(ms);
	return `${d.toTimeString().slice(0, 8)}${millis ? `.${two(d.getMilliseconds(), 3)}` : ""}`;
}

// The text of an event without its kind and path.
export const said = ({ kind = "", text }, path) => text.replace(kind, "").replace(path, "").trim();

const date = (ms) => new Date(ms).toLocaleDateString("sv");
// The time of day, with the date unless it is today.
export const moment = (ms, now) => (date(ms) === date(now) ? "" : `${date(ms)} `) + clock(ms);

export const count = (n) => n.toLocaleString("en");
