// Helpers over the DOM, and times as texts. Text only ever enters the page by `textContent`.

export const $ = (id) => document.getElementById(id);

/** Makes an element. A function becomes a listener, `text` the text, everything else an attribute. */
export function h(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") element.addEventListener(name, value);
		else if (name === "text") element.textContent = value;
		else mark(element, name, value);
	}
	element.append(...children.filter((child) => child != null));
	return element;
}

/** Makes an element of SVG. */
export function s(tag, attributes = {}, ...children) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}

/** Sets a text, and touches the DOM only if it differs. */
export function put(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute, or removes it with `null`, and touches the DOM only if it differs. */
export function mark(element, name, value) {
	if (value == null) element.removeAttribute(name);
	else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

const SAME_ICON = { delayed: "clock", scheduled: "clock" };
export const icon = (state) => turn(s("svg", { class: "icon", "aria-hidden": "true" }, s("use")), state);

/** Changes an icon to that of another state. */
export function turn(svg, state) {
	mark(svg.firstChild, "href", `#i-${SAME_ICON[state] ?? state}`);
	return svg;
}

/** Tells a screen reader. */
export const say = (text) => put($("say"), text);

const two = (n) => String(n).padStart(2, "0");

/** `12s`, `3m 12s`, `2h 05m`, `3d 04h`. */
export function age(ms) {
	const seconds = Math.max(0, Math.floor(ms / 1000));
	const minutes = Math.floor(seconds / 60);
	const hours = Math.floor(minutes / 60);
	if (minutes < 1) return `${seconds}s`;
	if (hours < 1) return `${minutes}m ${two(seconds % 60)}s`;
	return hours < 24 ? `${hours}h ${two(minutes % 60)}m` : `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

/** The time that is left, rounded up: `0s` is never shown for what is still to come. */
export const left = (ms) => (ms <= 0 ? "now" : age(ms + 999));

/** How long an attempt took: `4ms`, `1.2s`, `3m 12s`. */
export const took = (ms) => (ms < 1000 ? `${Math.max(0, Math.round(ms))}ms` : ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : age(ms));

/** The local time of day, with milliseconds on request. */
export function clock(ms, millis) {
	const d = new Date(ms);
	return [d.getHours(), d.getMinutes(), d.getSeconds()].map(two).join(":") + (millis ? `.${String(d.getMilliseconds()).padStart(3, "0")}` : "");
}

/** The time of day, with the date unless it is today. */
export function moment(ms, now) {
	const d = new Date(ms);
	const date = d.toDateString() === new Date(now).toDateString() ? "" : `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} `;
	return date + clock(ms);
}

export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
