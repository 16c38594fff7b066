// The tree as a grid, and the last attempts of a task as bars.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ h, mark, put, age, left, count }, M, { List }] = await Promise.all(["base", "model", "list"].map(load));
const { model } = M;

// Larger groups show their sick children only, at most so many, until somebody asks for all.
const LARGE = 200;
const BRIEF = 50;

export const filter = { text: "", states: new Set() };
// Path to `closed`, `brief` (only what needs attention) or `open`, where somebody has chosen.
const chosen = new Map();
let list;

const childrenOf = (path) => model.children.get(path) ?? [];
const usual = (path) => (childrenOf(path).length > LARGE ? "brief" : "open");
const foldOf = (path) => chosen.get(path) ?? usual(path);
const filtering = () => filter.text !== "" || filter.states.size > 0;
// A column that is empty in the row that stands for more.
const of = (text) => ({ more, node }) => (more ? "" : text(node));

export function makeTree(section, open) {
	list = new List(section, {
		role: "treegrid", label: "Tasks", empty: "Nothing matches.", iconAt: 1, side,
		columns: [
			["name", "Task", ({ node, more, ill }) => (more ? `${count(more)} more${ill ? "" : ", all well"}` : node.path ? node.name : model.name)],
			["state", "State", of(M.word)],
			["number", "Attempt", of(({ attempt }) => attempt > 0 && `#${attempt}`)],
			["number", "Failures", of(({ failures: n, max_retries: most }) => n > 0 && n + (most == null ? "" : `/${most}`))],
			["number", "Since", of(({ since }) => since && age(M.now() - M.time(since)))],
			["next", "Next in", of(({ next_at: at }) => at && left(M.time(at) - M.now()))],
			["recent", "Last 30 attempts", () => ""],
			["error", "Error or reason", of((node) => (hurts(node) ? node.last_error : (node.state !== "running" && node.why?.text) || node.last_error))],
		],
		key: ({ key }) => key,
		state: ({ more, node }) => (more ? "pending" : M.shown(node)),
		open: ({ more, node: { path } }) => (more ? fold(path, "open") : open(path)),
		make(row) {
			const [name] = row.texts;
			name.parentNode.before(h("button", { class: "twist", tabindex: -1, "aria-hidden": "true", click(event) {
				event.stopPropagation();
				toggle(row.item.node.path);
			} }));
			name.parentNode.after((row.size = h("small")));
			row.texts[6].replaceWith((row.spark = makeSpark()));
		},
		fill(row, { node, level, more, dim }) {
			const group = M.isGroup(node) && !more;
			const state = group && childrenOf(node.path).length > 0 && foldOf(node.path);
			mark(row, "aria-level", level);
			mark(row, "aria-expanded", state && String(filtering() || state !== "closed"));
			mark(row, "data-fold", state);
			mark(row, "data-dim", dim);
			mark(row, "data-is", more ? "more" : node.kind);
			mark(row, "data-hurt", !more && hurts(node));
			row.style.setProperty("--level", Math.min(level, 12));
			put(row.size, group ? count(node.children ?? childrenOf(node.path).length) : "");
			drawSpark(row.spark, group || more ? [] : (node.recent ?? []));
		},
	});
}

// Whether the last error is why it does not run.
const hurts = (node) => !!node.last_error && !["running", "ended", "interval", "scheduled"].includes(M.shown(node));

const activate = (path) => list.activate(list.places.get(path));
export const focusTree = () => list.box.focus();
export const refreshTree = () => list.render();

function side({ node: { path, parent, kind }, more }, forward) {
	const closed = kind !== "group" || foldOf(path) === "closed";
	if (more) forward ? fold(path, "open") : activate(path);
	else if (forward && kind === "group") closed ? toggle(path) : list.activate(list.places.get(path) + 1);
	else if (!forward) closed || filtering() ? activate(parent) : toggle(path);
}

function fold(path, to) {
	chosen.set(path, to);
	showTree();
}

const toggle = (path) => fold(path, foldOf(path) === "closed" ? usual(path) : "closed");

// Opens the groups above a path, and makes its row the active one.
export function reveal(path) {
	for (let node = model.nodes.get(path); node?.path; node = model.nodes.get(node.parent)) {
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

export function showTree() {
	const rows = [];
	const found = filtering() && new Set([...model.nodes.values()].filter(matches).map(({ path }) => path));
	const kept = found && M.ancestors(found);
	const urgency = (path) => model.sick.get(path)?.rank ?? 9;
	const walk = (path, level) => {
		const node = model.nodes.get(path);
		const all = childrenOf(path);
		const state = found ? "found" : foldOf(path);
		rows.push({ key: path, node, level, dim: found && !found.has(path) });
		if (state === "closed") return;
		const some = state === "open" ? all : all.filter((child) => (kept || model.above).has(child));
		const brief = state === "brief" ? some.sort((a, b) => urgency(a) - urgency(b)).slice(0, BRIEF) : some;
		for (const child of brief) walk(child, level + 1);
		const more = state === "brief" && all.length - brief.length;
		if (more) rows.push({ key: `${path}\nmore`, node, level: level + 1, more, ill: some.length > BRIEF });
	};
	if ((kept || model.nodes).has("")) walk("", 1);
	list.set(rows);
}

export const kindOf = (outcome) => ({ completed: "good", running: "run", canceled: "none", unknown: "none" })[outcome] ?? "bad";

function makeSpark() {
	const paths = ["base", "good", "bad", "none", "run"].map((kind) => h("path", { class: kind, d: "M0 10h120" }));
	return h("svg", { class: "spark", role: "img", viewBox: "0 0 120 20" }, ...paths);
}

// The newest attempt is at the right. Good ones rise above the line, and bad ones hang below.
function drawSpark(svg, recent) {
	const stamp = `${recent.length} ${recent.at(-1)}`;
	if (svg.stamp === stamp) return;
	svg.stamp = stamp;
	const attempts = recent.slice(-30);
	const paths = {};
	const counts = {};
	attempts.forEach(([began, ended, outcome], at) => {
		const kind = kindOf(outcome);
		const ms = began && Math.max(0, (ended ?? M.now()) - began);
		const tall = Math.min(9, 3 + Math.log10(1 + ms)).toFixed(1);
		paths[kind] = `${paths[kind] ?? ""}M${(30 - attempts.length + at) * 4} 10h3v${kind === "bad" ? "" : "-"}${tall}h-3z`;
		counts[outcome] = (counts[outcome] ?? 0) + 1;
	});
	for (const path of [...svg.children].slice(1)) mark(path, "d", paths[path.className.baseVal]);
	mark(svg, "data-none", attempts.length === 0);
	mark(svg, "aria-label", Object.entries(counts).map(([outcome, n]) => `${n} ${outcome}`).join(", ") || "none recorded");
}
