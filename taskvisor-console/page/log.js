// The log: the last events, filtered; it can be paused and copied.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ h, put, mark, said, clock, count }, M, { List }] = await Promise.all(["base", "model", "list"].map(load));

const KEPT = 2000;

const lines = [];
/** What is shown while the log is paused. */
let still = null;
let named = 0;
let list;
let copied = "";
const known = new Set();
const filter = { kind: "", path: "", text: "" };
const note = h("span", { class: "note", role: "status" });

export function makeLog(section, open) {
	const field = (name) => h("input", { type: "search", placeholder: name, "aria-label": `Filter the log by ${name}`, input({ target }) {
		filter[name] = target.value.toLowerCase();
		showLog();
	} });
	const pause = h("button", { "aria-pressed": "false", text: "Pause", click() {
		still = still ? null : [...lines];
		mark(pause, "aria-pressed", String(!!still));
		showLog();
	} });
	const copy = h("button", { text: "Copy", click: copyAll });
	section.append(h("div", { class: "bar" }, h("h2", { text: "Log" }), note, ...Object.keys(filter).map(field), pause, copy));
	list = new List(section, {
		role: "listbox", label: "Events", empty: "No events yet.",
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
const remark = (text) => ({ level: "warn", text, at: new Date(M.now()).toISOString() });

/** Adds events. Those that are known already, by their number, are left out. */
export function addLog(events, lost) {
	const before = named;
	if (lost) events = [remark(`${count(lost)} events are missing here`), ...events];
	for (const event of events) {
		if (event.seq !== undefined && known.has(event.seq)) continue;
		known.add(event.seq);
		lines.push(event);
		event.number = named += 1;
	}
	for (const { seq } of lines.splice(0, lines.length - KEPT)) known.delete(seq);
	if (named !== before) showLog();
}

export function newProcess() {
	known.clear();
	addLog([remark("another process from here on")]);
}

const has = (text, part) => (text ?? "").toLowerCase().includes(part);
const kept = () => (still ?? lines).filter((line) =>
	has(line.kind, filter.kind) && has(pathOf(line), filter.path) && has(line.text, filter.text));

function showLog() {
	const { box } = list;
	const follow = !still && box.scrollTop + box.clientHeight >= box.scrollHeight - 40;
	list.set(kept());
	if (follow) box.scrollTop = box.scrollHeight;
	put(note, copied || (still ? `paused, ${count(named - (still.at(-1)?.number ?? 0))} new` : ""));
}

async function copyAll() {
	const chosen = kept();
	const text = chosen.map((line) => `${line.at} ${line.text}`).join("\n");
	// Without a secure context: the old way.
	const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
	const area = h("textarea", { class: "sr", text });
	document.body.append(area);
	area.select();
	copied = done || document.execCommand("copy") ? `${count(chosen.length)} lines copied` : "not copied";
	area.remove();
	showLog();
	setTimeout(() => (copied = ""), 5000);
}
