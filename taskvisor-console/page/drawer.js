// The drawer: one task, group or slot in full; and the actions, with their answers.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ $, h, ask, icon, turn, put, mark, said, age, left, took, clock, moment, count }, M, { kindOf }] = await Promise.all(["base", "model", "tree"].map(load));
const { model } = M;

// All are always there, so that nothing moves.
const FACTS = {
	since: (node) => stamp(node.since, (ms) => age(M.now() - ms)),
	"next in": (node) => stamp(node.next_at, (ms) => left(ms - M.now())),
	failures: (node) => (node.failures ?? 0) + (node.max_retries == null ? "" : ` of ${node.max_retries}`),
	ready: (node) => (node.ready ? "yes" : "no"),
};
// `{path}` or `{slot}` of what is shown, and the node or slot that it was last written from.
let target = null;
let written;
let open;
let reading = null;
let asked = 0;
let returnTo;
const part = {};
const focused = () => document.activeElement;

// `open(path)` is called to show another node.
export function makeDrawer(given) {
	open = given;
	part.box = h("div", { class: "scroll", tabindex: 0 });
	for (const name of ["state", "why", "actions", "answer", "facts", "history", "error", "awaits", "settings", "events"]) {
		part.box.append((part[name] = h(name === "facts" ? "dl" : "div", { class: name, role: name === "answer" && "status" })));
	}
	const close = h("button", { class: "close", "aria-label": "Close details", text: "×", click: closeDrawer });
	$("drawer").append(h("div", { class: "bar" }, (part.icon = icon("running")), (part.title = h("h2")), close), part.box);
}

export const isOpen = () => target !== null;

export function openDrawer(next) {
	returnTo = target ? returnTo : focused();
	if (target?.path === next.path && target?.slot === next.slot) return;
	target = next;
	written = undefined;
	asked = 0;
	$("attention").hidden = true;
	$("drawer").hidden = false;
	for (const element of part.box.children) element.replaceChildren();
	part.box.scrollTop = 0;
	showDrawer();
	// It covers what had the focus.
	if ($("drawer").offsetParent !== document.body) part.box.focus();
}

export function closeDrawer() {
	const inside = $("drawer").contains(focused()) || focused() === document.body;
	target = null;
	$("drawer").hidden = true;
	$("attention").hidden = false;
	if (inside) returnTo.focus();
}

// Called after each change.
export function showDrawer() {
	if (!target) return;
	const { path, slot } = target;
	const item = slot === undefined ? model.nodes.get(path) : model.slots.find(({ name }) => name === slot);
	if (item !== written) {
		written = item;
		put(part.title, slot ?? (path || model.name));
		if (!item) head("ended", "It is gone.");
		else if (slot !== undefined) {
			head("queued", "slot", item.paused && "paused", item.phase, `${item.queued ?? 0} queued`);
			section("history", "Owner", tasks(item.owners));
			section("error", "Next", tasks(item.next));
			section("awaits", "Queue", tasks(item.queue));
		} else {
			head(M.shown(item), M.isGroup(item) ? `group, ${item.strategy}` : "task", M.word(item), item.paused && item.state !== "paused" && "paused");
			// At most once a second.
			reading ??= setTimeout(read, asked + 1000 - Date.now());
		}
		const pause = item?.paused ? { verb: "resume_slot", text: "Resume" } : { verb: "pause_slot", text: "Pause" };
		buttons(!item ? [] : slot === undefined ? actionsOf(item) : [pause], slot ?? path);
	}
	refreshDrawer();
}

export function refreshDrawer() {
	if (!target) return;
	const { text, until } = written?.why ?? {};
	const rest = until ? M.time(until) - M.now() : 0;
	const end = rest > 0 ? `, ${left(rest).replace(/(\d)([a-z])/g, "$1 $2")} left.` : ".";
	put(part.why, text ? text[0].toUpperCase() + text.slice(1) + end : "");
	if (!written || target.path === undefined) return;
	if (!part.facts.firstChild) part.facts.append(...Object.keys(FACTS).map((name) => pair([name, ""])));
	Object.values(FACTS).forEach((fact, at) => put(part.facts.children[at].lastChild, fact(written)));
}

const stamp = (at, text) => (at ? `${text(M.time(at))} · ${moment(M.time(at), M.now())}` : "–");
const pair = ([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", { text: String(value) }));

function head(state, ...words) {
	turn(part.icon, state);
	mark($("drawer"), "data-state", state);
	put(part.state, words.filter(Boolean).join(" · "));
}

// A button that goes on to have a meaning keeps the focus.
function buttons(actions, name) {
	const old = [...part.actions.children];
	const active = focused();
	const now = (model.access === "full" ? actions : []).map((action) => {
		const button = old.find((one) => one.action.verb === action.verb) ?? h("button", { click: run });
		mark(button, "data-danger", action.verb === "cancel");
		put(button, action.text);
		return Object.assign(button, { action, path: name });
	});
	if (now.length === old.length && now.every((button, at) => button === old[at])) return;
	part.actions.replaceChildren(...now);
	if (old.includes(active)) (now.includes(active) ? active : (now[old.indexOf(active)] ?? part.box)).focus();
}

async function run({ currentTarget: button }) {
	const { action, path: name } = button;
	const result = await act(action, name);
	if (focused() === document.body) (button.isConnected ? button : (part.actions.firstChild ?? part.box)).focus();
	if (!result || (target?.path ?? target?.slot) !== name) return;
	put(part.answer, `${clock(Date.now())} ${action.text}: ${result.text}`);
	mark(part.answer, "data-bad", !result.ok);
}

async function read() {
	const path = target?.path;
	asked = Date.now();
	const detail = path != null && await ask(`node=${encodeURIComponent(path)}`).then((answer) => answer.ok && answer.json()).catch(() => null);
	reading = null;
	if (target?.path !== path) asked = 0;
	else if (detail) writeDetail(detail);
	// It may have changed, or be another, since it was asked for.
	if (target?.path !== path || model.nodes.get(path) !== written) {
		written = undefined;
		showDrawer();
	}
}

const section = (name, title, ...children) => {
	const some = children.flat().filter(Boolean);
	const next = h("div", {}, ...(some.length ? [h("h3", { text: title }), ...some] : []));
	// What is the same may be selected, or have the focus.
	if (part[name].innerHTML !== next.innerHTML) part[name].replaceChildren(...next.childNodes);
};
const lines = (list, line) => list?.length > 0 && h("ol", {}, ...list.map(line));
const tasks = (list) => lines([list ?? []].flat(), (task) => {
	const path = task.path ?? task;
	return h("li", {}, h("button", { class: "link", text: path, click: () => open(path) }), ` ${task.state ?? ""}`);
});

function writeDetail({ error, settings, events, awaits, history }) {
	section("history", "Attempts", history?.entries?.length ? timeline(history) : []);
	section("error", "Last error", lines(error && [error.message, ...(error.sources ?? [])], (text) => h("li", { text })));
	section("awaits", "Waits for", tasks(awaits));
	section("settings", "Settings", settings && h("dl", {}, ...Object.entries(settings).map(pair)));
	section("events", "Events", lines(events?.toReversed(), (event) => h("li", { "data-level": event.level },
		h("time", { text: clock(M.time(event.at), true) }), h("b", { text: event.kind }), h("span", { text: said(event, event.task) }))));
}

// Bars and gaps, each as wide as the logarithm of its duration; and the same as a list.
function timeline({ entries, dropped }) {
	const pieces = [];
	const rows = [];
	let before = null;
	const gap = (text, kind, weight) => {
		pieces.push([kind, weight]);
		rows.unshift(h("li", { class: "pause", text }));
	};
	for (const { lost, attempt, outcome, reason, stop, ...times } of entries) {
		const [began, ended] = [times.began, times.ended].map(M.time);
		if (lost) gap(`${count(lost)} lost`, "lost", 3);
		else if (before && began > before) gap(`${took(began - before)} later`, "rest", Math.log10(1 + began - before) / 2);
		before = ended;
		if (lost) continue;
		const ms = began && Math.max(0, (ended ?? M.now()) - began);
		const kind = kindOf(outcome);
		pieces.push([kind, 1 + Math.log10(1 + ms)]);
		const texts = [`#${attempt}`, began ? clock(began) : "–", began ? took(ms) : "–", outcome, reason ?? stop ?? ""];
		rows.unshift(h("li", { "data-kind": kind, title: reason }, ...texts.map((text) => h("span", { text }))));
	}
	const total = pieces.reduce((sum, [, weight]) => sum + weight, 0) / 360;
	const strip = h("svg", { class: "strip", viewBox: "0 0 360 28", preserveAspectRatio: "none", "aria-hidden": "true" });
	let x = 0;
	for (const [kind, weight] of pieces) {
		const width = weight / total;
		const [y, height] = { rest: [13.5, 1], lost: [2, 24], bad: [14, 12] }[kind] ?? [2, 12];
		strip.append(h("rect", { class: kind, x, y, width: kind === "rest" ? width : width * 0.9, height }));
		x += width;
	}
	return [strip, h("ol", {}, ...rows), dropped && h("p", { class: "note", text: `${count(dropped)} older attempts are not kept.` })];
}

// Each is the verb of the request, the text of its button, and of what ends something, a warning.
function actionsOf(node) {
	const group = M.isGroup(node);
	const { path, state } = node;
	const some = [node.paused ? { verb: "resume", text: "Resume" } : { verb: "pause", text: "Pause" }];
	if (path === "") return state === "ended" ? [] : some;
	if (["backoff", "interval", "scheduled", "delayed", "throttled"].includes(state)) some.unshift({ verb: "trigger", text: "Run now" });
	const stops = group ? "All its tasks are stopped, and start again." : "The attempt that runs is stopped, and another begins.";
	some.unshift({ verb: "restart", text: "Restart", warning: group || state === "running" ? stops : null });
	if (state !== "ended") some.push({ verb: "cancel", text: "Cancel", warning: "It is requested to stop, and does not start again." });
	return some;
}

// Asks if need be, acts, and returns `{ok, text}`, or `null` if the answer was no.
export async function act({ verb, text, warning }, target) {
	const title = `${text} ${target || model.name}`;
	if (warning && !(await confirm(`${title}?`, warning, text))) return null;
	if (target !== undefined) put(part.answer, `${text}…`);
	const query = target === undefined ? verb : `${verb}=${encodeURIComponent(target)}`;
	return ask(query, "POST").then(async (answer) => {
		const { ok, status } = answer;
		const body = await answer.json().catch(() => ({}));
		return { ok, text: ok ? (body.answer ?? "done") : `${body.error ?? "refused"} (${status})` };
	}).catch(({ name }) => ({ text: name === "TimeoutError" ? "no answer within 30 s" : "the process did not answer" }));
}

function confirm(title, text, yes) {
	const dialog = $("ask");
	put($("ask-title"), title);
	put($("ask-text"), text);
	put($("ask-yes"), yes);
	dialog.returnValue = "";
	dialog.showModal();
	return new Promise((done) => (dialog.onclose = () => done(dialog.returnValue)));
}
