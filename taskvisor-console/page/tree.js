// The tree as a grid: one row a node, and the last attempts of a task as bars.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ h, s, mark, put, age, left, count }, M, { List }] = await Promise.all(["base", "model", "list"].map(load));
const { model } = M;

/** Larger groups are shown by their sick children only, and at most so many of them, until somebody asks for all. */
const LARGE = 200;
const BRIEF = 50;

export const filter = { text: "", states: new Set() };
/** Path to `closed`, `brief` (only what needs attention) or `open`, where somebody has chosen. */
const chosen = new Map();
let list;

const sizeOf = (path) => model.children.get(path)?.length ?? 0;
const foldOf = (path) => chosen.get(path) ?? (sizeOf(path) > LARGE ? "brief" : "open");
const filtering = () => filter.text !== "" || filter.states.size > 0;
/** A column of nodes is empty in the row that stands for more of them. */
const of = (text) => (item) => (item.more ? "" : text(item.node));

export function makeTree(section, open) {
	list = new List(section, {
		role: "treegrid", label: "Tasks and groups", empty: "Nothing matches.", iconAt: 1, side,
		columns: [
			["name", "Task", ({ node, more, ill }) => (more ? `${count(more)} more${ill ? "" : ", none needs attention"}` : node.path === "" ? model.name : node.name)],
			["state", "State", of(M.word)],
			["number", "Attempt", of((node) => (node.attempt > 0 ? `#${node.attempt}` : ""))],
			["number", "Failures", of(failures)],
			["number", "Since", of((node) => (node.since ? age(M.now() - M.time(node.since)) : ""))],
			["next", "Next in", of((node) => (node.next_at ? left(M.time(node.next_at) - M.now()) : ""))],
			["recent", "Last 30 attempts", () => ""],
			["error", "Error or reason", (item) => (item.more ? "Enter shows all" : reason(item.node))],
		],
		key: (item) => item.key,
		state: (item) => (item.more ? "pending" : M.shown(item.node)),
		open: (item) => (item.more ? fold(item.node.path, "open") : open(item.node.path)),
		make(row) {
			const twist = h("button", { class: "twist", type: "button", tabindex: -1, "aria-hidden": "true", click(event) {
				event.stopPropagation();
				toggle(row.item.node.path);
			} });
			row.size = h("small");
			row.texts[0].before(twist);
			row.texts[0].after(row.size);
			row.texts[6].replaceWith((row.spark = makeSpark()));
		},
		fill(row, { node, level, more, dim }) {
			const group = M.isGroup(node) && !more;
			const state = group && sizeOf(node.path) ? foldOf(node.path) : null;
			mark(row, "aria-level", level);
			mark(row, "aria-expanded", state && (filtering() || state !== "closed"));
			mark(row, "data-fold", state);
			mark(row, "data-dim", dim ? "" : null);
			row.style.setProperty("--level", Math.min(level, 12));
			row.classList.toggle("more", more > 0);
			row.classList.toggle("group", group);
			row.classList.toggle("hurt", !more && !!matters(node));
			put(row.size, group ? count(node.children ?? sizeOf(node.path)) : "");
			drawSpark(row.spark, group || more ? null : node.recent);
		},
	});
}

export const failures = (node) => (node.failures ? `${node.failures}${node.max_retries == null ? "" : `/${node.max_retries}`}` : "");

/** Whether the last error is why it does not run. */
const matters = (node) => node.last_error && !["running", "ended", "interval", "scheduled"].includes(M.shown(node));
const reason = (node) => (matters(node) ? node.last_error : ((node.state === "running" ? node.last_error : node.why?.text) ?? node.last_error));

/** Makes the row of this path the active one, if it is shown. */
export const activate = (path) => list.activate(list.places.get(path));
export const focusTree = () => list.box.focus();

function side({ node, more }, forward) {
	const closed = more || !M.isGroup(node) || foldOf(node.path) === "closed";
	if (more && forward) fold(node.path, "open");
	else if (more) activate(node.path);
	else if (forward && M.isGroup(node)) {
		if (closed) toggle(node.path);
		else list.activate(list.places.get(node.path) + 1);
	} else if (!forward) {
		if (closed || filtering()) activate(node.parent);
		else toggle(node.path);
	}
}

function fold(path, to) {
	chosen.set(path, to);
	showTree();
}

const toggle = (path) => fold(path, foldOf(path) !== "closed" ? "closed" : sizeOf(path) > LARGE ? "brief" : "open");

/** Opens the groups above a path, and makes its row the active one. */
export function reveal(path) {
	for (let node = model.nodes.get(path); node?.parent !== undefined; node = model.nodes.get(node.parent)) {
		const state = foldOf(node.parent);
		if (state === "closed" || (state === "brief" && !model.above.has(node.path))) chosen.set(node.parent, "open");
	}
	showTree();
	activate(path);
}

export function matches(node) {
	if (filter.states.size && (M.isGroup(node) || !filter.states.has(M.shown(node)))) return false;
	return `${node.path} ${node.last_error ?? ""} ${node.why?.text ?? ""}`.toLowerCase().includes(filter.text);
}

/** Writes the rows anew, from the model. */
export function showTree() {
	const rows = [];
	const root = model.nodes.get("");
	if (root && filtering()) {
		const found = new Set([...model.nodes.values()].filter(matches).map((node) => node.path));
		const kept = M.ancestors(found);
		const visit = (node, level) => {
			rows.push({ key: node.path, node, level, dim: !found.has(node.path) });
			for (const path of model.children.get(node.path) ?? []) if (kept.has(path)) visit(model.nodes.get(path), level + 1);
		};
		if (kept.has("")) visit(root, 1);
	} else if (root) walk(rows, root, 1);
	list.set(rows);
}

export const refreshTree = () => list.render();

function walk(rows, node, level) {
	rows.push({ key: node.path, node, level });
	let paths = model.children.get(node.path) ?? [];
	const size = paths.length;
	const state = foldOf(node.path);
	if (state === "closed") return;
	if (state === "brief") {
		const urgency = (path) => model.sick.get(path)?.rank ?? 9;
		paths = paths.filter((path) => model.above.has(path)).sort((a, b) => urgency(a) - urgency(b));
	}
	const ill = state === "brief" && paths.length > BRIEF;
	if (ill) paths.length = BRIEF;
	for (const path of paths) walk(rows, model.nodes.get(path), level + 1);
	if (size > paths.length) rows.push({ key: `${node.path}\nmore`, node, level: level + 1, more: size - paths.length, ill });
}

const ATTEMPTS = 30;
const KINDS = { completed: "good", running: "run", canceled: "none", unknown: "none" };
/** `good`, `bad`, `none` or `run`. */
export const kindOf = (outcome) => KINDS[outcome] ?? "bad";

function makeSpark() {
	const svg = s("svg", { class: "spark", role: "img", viewBox: "0 0 120 20" }, s("path", { class: "base", d: "M0 10h120" }));
	for (const kind of ["good", "bad", "none", "run"]) svg.append(s("path", { class: kind }));
	return svg;
}

/** Draws the newest attempt at the right. Good ones rise above the line and bad ones hang below: shape says it too. */
function drawSpark(svg, recent) {
	const stamp = String(recent?.at(-1) ?? "");
	if (svg.stamp === stamp) return;
	svg.stamp = stamp;
	const attempts = (recent ?? []).slice(-ATTEMPTS);
	const paths = {};
	const counts = {};
	attempts.forEach(([began, ended, outcome], at) => {
		const kind = kindOf(outcome);
		const tall = Math.max(3, Math.min(9, 2.5 + Math.log10(1 + (began == null ? 0 : (ended ?? M.now()) - began)) * 1.2)).toFixed(1);
		paths[kind] = `${paths[kind] ?? ""}M${(ATTEMPTS - attempts.length + at) * 4} 10h3v${kind === "bad" ? "" : "-"}${tall}h-3z`;
		counts[outcome] = (counts[outcome] ?? 0) + 1;
	});
	for (const path of svg.children) if (path.className.baseVal !== "base") mark(path, "d", paths[path.className.baseVal]);
	svg.classList.toggle("nothing", attempts.length === 0);
	mark(svg, "aria-label", attempts.length ? Object.entries(counts).map(([outcome, n]) => `${n} ${outcome}`).join(", ") : "none recorded");
}
