// The log: the last events, filtered, paused or copied.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ h, put, mark, said, clock, count }, M, { List }] = await Promise.all(["base", "model", "list"].map(load));

const KEPT = 2000;

const lines = [];
// What is shown while the log is paused.
let still = null;
let named = 0;
export let newest = 0;
let seen = 0;
let list;
let copied = "";
const known = new Set();
const filter = { kind: "", path: "", text: "" };
const news = h("span");
const done = h("span", { role: "status" });

export function makeLog(section, open) {
	const field = (name) => h("input", { type: "search", placeholder: name, "aria-label": `Filter the log by ${name}`, input({ target }) {
		filter[name] = target.value.toLowerCase();
		showLog();
	} });
	const pause = h("button", { "aria-pressed": "false", text: "Pause", click() {
		still = still ? null : [...lines];
		seen = named;
		mark(pause, "aria-pressed", String(!!still));
		showLog();
	} });
	const copy = h("button", { text: "Copy", click: copyAll });
	section.append(h("div", { class: "bar" }, h("h2", { text: "Log" }), h("span", { class: "note" }, news, done), ...Object.keys(filter).map(field), pause, copy));
	list = new List(section, {
		role: "listbox", label: "Events", empty: "No events.",
		columns: [
			["time", "", (line) => clock(M.time(line.at), true)],
			["kind", "", ({ kind }) => kind],
			["path", "", pathOf],
			["text", "", (line) => said(line, pathOf(line))],
		],
		key: (line) => line.number,
		open: (line) => open(line.task),
		fill: (row, line) => mark(row, "data-level", line.level),
	});
}

const pathOf = ({ task, slot }) => task ?? slot;
const remark = (text, at = new Date(M.now()).toISOString()) => ({ level: "warn", text, at });
// Actions have no number.
const idOf = ({ seq, at, text }) => seq ?? at + text;

// Adds what is not known, after `lost` events; or of all that is kept, if those up to `after` were known.
export function addLog(events, lost, after) {
	const before = named;
	const missing = lost ? count(lost) : after && !events.some(({ seq }) => seq <= after) && "some";
	if (missing) events = [{ ...remark(`${missing} events are missing here`), seq: after && -after }, ...events];
	for (const event of events) {
		if (known.has(idOf(event))) continue;
		known.add(idOf(event));
		newest = Math.max(newest, event.seq ?? 0);
		lines.push(event);
		event.number = named += 1;
	}
	if (after >= 0) lines.sort((a, b) => M.time(a.at) - M.time(b.at));
	for (const event of lines.splice(0, lines.length - KEPT)) known.delete(idOf(event));
	if (named !== before) showLog();
}

export function newProcess() {
	addLog([remark("another process from here on", lines.at(-1)?.at)]);
	known.clear();
	newest = 0;
}

const has = (text, part) => (text ?? "").toLowerCase().includes(part);
const kept = () => (still ?? lines).filter((line) =>
	has(line.kind, filter.kind) && has(pathOf(line), filter.path) && has(line.text, filter.text));

function showLog() {
	const { box } = list;
	const follow = !still && box.scrollTop + box.clientHeight >= box.scrollHeight - 40;
	list.set(kept());
	if (follow) box.scrollTop = box.scrollHeight;
	// Too often to be read out.
	put(news, still && !copied ? `paused, ${count(named - seen)} new` : "");
	put(done, copied);
}

async function copyAll() {
	const chosen = kept();
	const text = chosen.map((line) => `${line.at} ${line.text}`).join("\n");
	// Without a secure context: the old way.
	const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
	const area = h("textarea", { text });
	document.body.append(area);
	area.select();
	copied = done || document.execCommand("copy") ? `${count(chosen.length)} lines copied` : "not copied";
	area.remove();
	showLog();
	setTimeout(() => (copied = ""), 5000);
}
