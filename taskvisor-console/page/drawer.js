// The drawer: one task, group or slot in full.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ $, h, s, icon, turn, put, mark, age, left, took, clock, moment, count }, M, { actionsOf, slotActions, act }, { kindOf }] =
	await Promise.all(["base", "model", "actions", "tree"].map(load));
const { model } = M;

/** `{path}` or `{slot}` of what is shown, and the node or slot that it was last written from. */
let target = null;
let written;
let given;
let parts;
let reading = null;
let asked = 0;
let returnTo = null;

/** `open(path)` shows another node, `close()` is called after the drawer was closed. */
export function makeDrawer(handlers) {
	given = handlers;
	parts = { icon: icon("running"), title: h("h2") };
	const close = h("button", { class: "close", type: "button", "aria-label": "Close details", text: "×", click: closeDrawer });
	$("drawer").append(h("div", { class: "bar" }, parts.icon, parts.title, close));
	const box = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Details" });
	for (const name of ["state", "why", "actions", "answer", "facts", "history", "error", "awaits", "settings", "events"]) {
		parts[name] = h({ facts: "dl", state: "p", why: "p", answer: "p" }[name] ?? "div", { class: name });
		box.append(parts[name]);
	}
	parts.box = box;
	$("drawer").append(box);
}

export const isOpen = () => target !== null;

export function openDrawer(next) {
	if (target === null) returnTo = document.activeElement;
	if (target && target.path === next.path && target.slot === next.slot) return;
	target = next;
	written = undefined;
	asked = 0;
	$("attention").hidden = true;
	$("drawer").hidden = false;
	for (const part of parts.box.children) part.replaceChildren();
	parts.box.scrollTop = 0;
	showDrawer();
}

export function closeDrawer() {
	const inside = $("drawer").contains(document.activeElement) || document.activeElement === document.body;
	target = null;
	$("drawer").hidden = true;
	$("attention").hidden = false;
	given.close();
	if (inside) returnTo?.focus();
}

/** Follows the model: called after each change. */
export function showDrawer() {
	if (!target) return;
	const slot = target.slot !== undefined;
	const item = slot ? model.slots.find(({ name }) => name === target.slot) : model.nodes.get(target.path);
	if (item !== written) {
		written = item;
		put(parts.title, slot ? target.slot : target.path || model.name);
		mark(parts.title, "title", parts.title.textContent);
		if (!item) {
			put(parts.state, "It is gone.");
			buttons([]);
		} else if (slot) writeSlot(item);
		else {
			writeNode(item);
			// The rest is read at most once a second.
			reading ??= setTimeout(read, Math.max(0, asked + 1000 - Date.now()));
		}
	}
	refreshDrawer();
}

/** What moves with the time. */
export function refreshDrawer() {
	if (!target) return;
	put(parts.why, sentence(written?.why));
	for (const element of parts.facts.querySelectorAll("[data-at]")) {
		const rest = element.dataset.at - M.now();
		put(element, element.dataset.next ? left(rest) : age(-rest));
	}
}

/** The reason as a sentence, with the time that is left. */
function sentence(why) {
	if (!why?.text) return "";
	const rest = why.until ? M.time(why.until) - M.now() : 0;
	const end = rest > 0 ? `, ${left(rest).replace(/(\d)([a-z])/g, "$1 $2")} left` : "";
	return `${why.text[0].toUpperCase()}${why.text.slice(1)}${end}.`;
}

function writeNode(node) {
	const group = M.isGroup(node);
	head(M.shown(node), group ? `group, ${node.strategy ?? ""}` : "task", M.word(node), node.paused && node.state !== "paused" && "paused");
	buttons(actionsOf(node), node.path);
	const stamp = (ms, next) => [h("span", { "data-at": ms, "data-next": next }), h("small", { text: moment(ms, M.now()) })];
	const facts = {
		since: node.since && stamp(M.time(node.since)), "next in": node.next_at && stamp(M.time(node.next_at), 1),
		attempt: group ? null : [`#${node.attempt}`], restarts: [count(node.restarts ?? 0)],
		failures: [`${node.failures ?? 0}${node.max_retries == null ? "" : ` of ${node.max_retries}`}`],
		ready: [node.ready ? "yes" : "no"], after: node.after && [node.after.join(", ")],
	};
	parts.facts.replaceChildren(...Object.entries(facts).filter(([, value]) => value).map(([name, value]) => pair(name, ...value)));
}

function head(state, ...words) {
	turn(parts.icon, state);
	mark($("drawer"), "data-state", state);
	put(parts.state, words.filter(Boolean).join(" · "));
}

const pair = (name, ...value) => h("div", {}, h("dt", { text: name }), h("dd", {}, ...value));

/** The buttons stay in the document while they are the same, and so does the focus. */
function buttons(actions, name) {
	const box = parts.actions;
	const verbs = model.access === "full" ? actions.map(({ verb }) => verb) : [];
	const old = [...box.children];
	const focused = old.find((button) => button === document.activeElement)?.action.verb;
	const kept = verbs.map((verb) => old.find((button) => button.action.verb === verb) ?? h("button", { type: "button", click: run }));
	kept.forEach((button, at) => {
		button.action = actions[at];
		button.target = name;
		put(button, button.action.text);
		mark(button, "class", button.action.verb === "cancel" ? "danger" : null);
		if (box.children[at] !== button) box.insertBefore(button, box.children[at] ?? null);
	});
	for (const button of old) if (!kept.includes(button)) button.remove();
	if (focused && !box.contains(document.activeElement)) (box.firstChild ?? parts.box).focus();
}

async function run({ currentTarget: button }) {
	const { action, target: name } = button;
	mark(button, "aria-busy", true);
	const result = await act(action, name);
	mark(button, "aria-busy", null);
	if (document.activeElement === document.body) (button.isConnected ? button : (parts.actions.firstChild ?? parts.box)).focus();
	if (result === null || !target || (target.path ?? target.slot) !== name) return;
	put(parts.answer, `${clock(Date.now())} ${action.text}: ${result.text}`);
	mark(parts.answer, "data-bad", result.ok ? null : "");
}

async function read() {
	const { path } = target ?? {};
	asked = Date.now();
	let detail = null;
	try {
		if (path !== undefined) {
			const answer = await fetch(`?node=${encodeURIComponent(path)}`, { cache: "no-store", signal: AbortSignal.timeout(5000) });
			if (answer.ok) detail = await answer.json();
		}
	} catch {
		// The header says that there is no connection.
	}
	reading = null;
	if (!target) return;
	if (target.path !== path) asked = 0;
	else if (detail) writeDetail(detail);
	// It may have changed, or be another, since it was asked for.
	if (target.path !== path || model.nodes.get(path) !== written) {
		written = undefined;
		showDrawer();
	}
}

const section = (part, title, ...children) => part.replaceChildren(...(children.length ? [h("h3", { text: title }), ...children] : []));
const link = (path) => h("button", { type: "button", class: "link", text: path, click: () => given.open(path) });
const tasks = (list) => h("ul", {}, ...[list].flat().map((task) => h("li", {}, link(task.path ?? task), ` ${task.state ?? ""}`)));

function writeDetail({ error, settings, events, awaits, history }) {
	section(parts.history, "Attempts", ...(history?.entries?.length ? timeline(history) : []));
	section(parts.error, "Last error", ...(error ? [h("ol", {}, ...[error.message, ...(error.sources ?? [])].map((text) => h("li", { text })))] : []));
	section(parts.awaits, "Waits for", ...(awaits?.length ? [tasks(awaits)] : []));
	const pairs = Object.entries(settings ?? {}).map(([name, value]) => pair(name, String(value)));
	section(parts.settings, "Settings", ...(pairs.length ? [h("dl", {}, ...pairs)] : []));
	section(parts.events, "Events", ...(events?.length ? [h("ol", {}, ...events.toReversed().map(eventLine))] : []));
}

function writeSlot(slot) {
	head("queued", "slot", slot.paused && "paused", slot.phase, `${slot.queued ?? 0} queued`);
	buttons(slotActions(slot), slot.name);
	const named = (part, title, list) => section(part, title, ...(list && [list].flat().length ? [tasks(list)] : []));
	named(parts.history, "Owner", slot.owners);
	named(parts.error, "Next", slot.next);
	named(parts.awaits, "Queue", slot.queue);
}

const eventLine = (event) =>
	h("li", { "data-level": event.level }, h("time", { text: clock(M.time(event.at), true) }), h("b", { text: event.kind }), h("span", { text: eventText(event) }));

/** What an event says beside its kind and its task. */
export function eventText(event) {
	const said = [
		event.attempt && `attempt ${event.attempt}`, event.task && event.slot && `slot ${event.slot}`, event.delay_ms != null && `delay ${took(event.delay_ms)}`,
		event.timeout_ms != null && `timeout ${took(event.timeout_ms)}`, event.count != null && `count ${event.count}`, event.reason ?? event.stop,
	];
	return said.filter(Boolean).join(" · ") || (event.seq === undefined ? (event.text ?? "") : "");
}

/** Bars and gaps in the order of time, each as wide as the logarithm of its duration; and the same as a list. */
function timeline({ entries, dropped }) {
	const pieces = [];
	const rows = [];
	let before = null;
	const gap = (text, kind, weight) => {
		pieces.push({ kind, weight });
		rows.push(h("li", { class: "pause", text }));
	};
	for (const entry of entries) {
		if (entry.lost) {
			gap(`${count(entry.lost)} lost`, "lost", 3);
			before = null;
			continue;
		}
		const began = M.time(entry.began);
		const ended = M.time(entry.ended);
		const kind = kindOf(entry.outcome);
		if (before !== null && began - before >= 1) gap(`${took(began - before)} later`, "rest", Math.log10(1 + began - before) / 2);
		before = ended;
		const ms = began === null ? null : (ended ?? M.now()) - began;
		pieces.push({ kind, weight: 1 + Math.log10(1 + Math.max(0, ms ?? 0)) });
		const texts = [`#${entry.attempt}`, began === null ? "–" : clock(began), ms === null ? "–" : took(ms), entry.outcome, entry.reason ?? entry.stop ?? ""];
		rows.push(h("li", { "data-kind": kind, title: entry.reason }, ...texts.map((text) => h("span", { text }))));
	}
	const total = pieces.reduce((sum, piece) => sum + piece.weight, 0);
	const strip = s("svg", { class: "strip", viewBox: "0 0 360 28", preserveAspectRatio: "none", "aria-hidden": "true" });
	let x = 0;
	for (const { kind, weight } of pieces) {
		const width = (weight / total) * 360;
		const [y, height] = { rest: [13.5, 1], lost: [2, 24], bad: [14, 12] }[kind] ?? [2, 12];
		strip.append(s("rect", { class: kind, x, y, width: kind === "rest" ? width : width * 0.9, height }));
		x += width;
	}
	return [strip, h("ol", {}, ...rows.reverse()), dropped ? h("p", { class: "note", text: `${count(dropped)} older attempts are no longer kept.` }) : ""];
}
