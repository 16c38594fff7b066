// What the page knows of the process: one snapshot, and the changes since. Pure data, apart from the DOM.

// The states that are shown and counted, the bad ones first. `failed`, `silent` and `unready` are the page's.
export const STATES = [
	"failed", "silent", "backoff", "unready", "stopping", "paused", "pending", "queued", "delayed", "throttled", "standby",
	"scheduled", "interval", "running", "ended",
];
// What has recovered stays listed for so long: nothing flickers.
const LINGER_MS = 5000;

export const model = {
	boot: null, seq: 0, name: "taskvisor", slots: [], leases: [], nodes: new Map(), children: new Map(),
	counts: {}, tasks: 0, timers: 0,
	// Path to `{rank, until}`, of all that need attention; `until` is set for what has recovered.
	sick: new Map(),
	// The paths of `sick`, and those of the groups above.
	above: new Set(),
};
let offset = 0;
let frozen = null;

// The time by the clock of the process. It stands still while there is no connection.
export const now = () => (frozen ?? Date.now()) + offset;
export const freeze = (on) => (frozen = on ? (frozen ?? Date.now()) : null);
export const time = (text) => (text ? Date.parse(text) : null);
export const isGroup = (node) => node.kind === "group";

export function shown({ kind, state, problem, outcome, ready }) {
	if (problem === "failed" || (state === "ended" && outcome && outcome !== "completed" && outcome !== "canceled")) return "failed";
	if (problem === "silent" || problem === "past_stop") return "silent";
	return state === "running" && !ready && kind === "task" ? "unready" : state;
}

export const label = (state) => (state === "unready" ? "not ready" : state);

export function word(node) {
	if (node.state === "ended") return node.outcome ?? "ended";
	return node.problem === "past_stop" ? "past stop" : label(shown(node));
}

// Smaller is more urgent; -1 needs no attention.
function rank(node) {
	const at = STATES.indexOf(shown(node));
	return at < 4 ? at : node.problem && !isGroup(node) ? 4 : -1;
}

// Replaces everything. Returns `true` if this is another process than before.
export function snapshot(full) {
	const restarted = model.boot !== null && model.boot !== full.boot;
	if (restarted) model.sick.clear();
	Object.assign(model, { slots: [], leases: [] }, full, { nodes: new Map(), children: new Map() });
	full.nodes.forEach(add);
	model.children.forEach(order);
	derive(full.now);
	return restarted;
}

// Returns `false` if some are missing in between, so that a new snapshot is needed.
export function changes({ nodes = [], removed = [], log, log_lost, ...rest }) {
	if (rest.seq <= model.seq) return true;
	if (rest.seq !== model.seq + 1) return false;
	Object.assign(model, rest);
	removed.forEach(remove);
	for (const parent of new Set(nodes.map(add))) if (parent !== null) order(model.children.get(parent));
	derive(rest.now);
	return true;
}

// Returns the parent if the order of its children is another now.
function add(node) {
	const { path, parent, index } = node;
	const old = model.nodes.get(path);
	model.nodes.set(path, node);
	if (path === "" || old?.index === index) return null;
	if (!model.children.has(parent)) model.children.set(parent, []);
	if (!old) model.children.get(parent).push(path);
	return parent;
}

const order = (paths) => paths.sort((a, b) => model.nodes.get(a).index - model.nodes.get(b).index);

function remove(path) {
	for (const child of [...(model.children.get(path) ?? [])]) remove(child);
	const rest = model.children.get(model.nodes.get(path)?.parent);
	if (rest?.includes(path)) rest.splice(rest.indexOf(path), 1);
	model.nodes.delete(path);
	model.children.delete(path);
}

// Counts, and what needs attention. Also called each second, for what lingers.
export function derive(at) {
	if (at) offset = time(at) - Date.now();
	const { sick } = model;
	const counts = {};
	Object.assign(model, { counts, tasks: 0, timers: 0 });
	for (const node of model.nodes.values()) {
		const state = shown(node);
		if (!isGroup(node)) {
			counts[state] = (counts[state] ?? 0) + 1;
			model.tasks += 1;
		}
		if (node.next_at) model.timers += 1;
		const urgency = rank(node);
		if (urgency >= 0) sick.set(node.path, { rank: urgency });
		else if (sick.has(node.path)) sick.get(node.path).until ??= Date.now() + LINGER_MS;
	}
	for (const [path, { until }] of sick) if (!model.nodes.has(path) || until <= Date.now()) sick.delete(path);
	model.above = ancestors(sick.keys());
}

// The paths given, and those of the groups above.
export function ancestors(paths) {
	const all = new Set();
	for (let path of paths) for (; path !== undefined && !all.has(path); path = model.nodes.get(path)?.parent) all.add(path);
	return all;
}
