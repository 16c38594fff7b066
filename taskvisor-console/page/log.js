// The log: the last events, filtered by kind, path and text. It can be paused and copied.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ h, put, mark, say, clock, count }, M, { List }, { eventText }] = await Promise.all(["base", "model", "list", "drawer"].map(load));

/** So many lines are kept. */
const KEPT = 2000;

let lines = [];
/** The lines that are shown while the log is paused. */
let still = null;
let named = 0;
let list;
let select;
const note = h("span", { class: "note" });
const known = new Set();
const filter = { kind: "", path: "", text: "" };

export function makeLog(section, open) {
	const narrow = (name) => (event) => {
		filter[name] = event.target.value.toLowerCase();
		showLog();
	};
	const field = (name) =>
		h("input", { type: "search", placeholder: name, "aria-label": `Filter the log by ${name}`, autocomplete: "off", spellcheck: "false", input: narrow(name) });
	select = h("select", { "aria-label": "Kind of event", input: narrow("kind") }, h("option", { value: "", text: "all kinds" }));
	const pause = h("button", { type: "button", "aria-pressed": false, text: "Pause", click() {
		still = still ? null : [...lines];
		mark(pause, "aria-pressed", still !== null);
		showLog();
	} });
	const copy = h("button", { type: "button", text: "Copy", click: copyAll });
	section.append(h("div", { class: "bar" }, h("h2", { id: "log-title", text: "Log" }), note, select, field("path"), field("text"), pause, copy));
	list = new List(section, {
		role: "listbox", label: "Events, the newest last", empty: "No events yet.",
		columns: [
			["time", "", (line) => (line.at ? clock(M.time(line.at), true) : "")],
			["level", "", (line) => line.level],
			["kind", "", (line) => line.kind],
			["path", "", pathOf],
			["text", "", eventText],
		],
		key: (line) => line.number,
		open: (line) => line.task !== undefined && open(line.task),
		fill: (row, line) => mark(row, "data-level", line.level),
	});
}

const pathOf = (line) => line.task ?? line.slot ?? "";

/** Adds events. Those that are known already, by their number, are left out. */
export function addLog(events, lost) {
	const before = named;
	if (lost) addLog([remark("Lost", `${count(lost)} events are missing here`)]);
	for (const event of events) {
		if (event.seq !== undefined && known.has(event.seq)) continue;
		known.add(event.seq);
		lines.push(event);
		event.number = named += 1;
		if ([...select.options].some((option) => option.value === event.kind)) continue;
		select.append(h("option", { value: event.kind, text: event.kind }));
	}
	for (const event of lines.splice(0, lines.length - KEPT)) known.delete(event.seq);
	if (named !== before) showLog();
}

const remark = (kind, reason) => ({ kind, level: "warn", reason, at: new Date(M.now()).toISOString() });

/** Another process counts its events anew. */
export function newProcess() {
	known.clear();
	addLog([remark("Restarted", "another process")]);
}

const has = (text, part) => text.toLowerCase().includes(part);
const kept = () =>
	(still ?? lines).filter((line) =>
		(!filter.kind || line.kind?.toLowerCase() === filter.kind) && has(pathOf(line), filter.path) && has(`${line.kind} ${eventText(line)} ${line.text ?? ""}`, filter.text));

function showLog() {
	const { box } = list;
	const follow = !still && box.scrollTop + box.clientHeight >= box.scrollHeight - 40;
	list.set(kept());
	if (follow) box.scrollTop = box.scrollHeight;
	put(note, still ? `paused, ${count(named - (still.at(-1)?.number ?? 0))} new` : "");
}

async function copyAll() {
	const chosen = kept();
	const text = chosen.map((line) => [line.at, line.level, line.kind, pathOf(line), eventText(line)].join("\t")).join("\n");
	let done = true;
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		// Without a secure context there is only the old way.
		const area = h("textarea", { class: "sr" });
		area.value = text;
		document.body.append(area);
		area.select();
		done = document.execCommand("copy");
		area.remove();
	}
	put(note, done ? `${count(chosen.length)} lines copied` : "the browser refused to copy");
	say(note.textContent);
}
