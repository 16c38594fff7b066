// What the page knows of the process: one snapshot, and the changes since. Pure data, apart from the DOM.

/** The states by which tasks are shown and counted, the bad ones first. `failed`, `silent` and `unready` are the page's. */
export const STATES = [
	"failed", "silent", "backoff", "unready", "stopping", "paused", "pending", "queued", "delayed", "throttled", "standby",
	"scheduled", "interval", "running", "ended",
];
const BAD = new Set(["failed", "exhausted", "fatal", "panicked", "aborted", "rejected"]);
/** What has recovered stays listed for this long, so that lists do not flicker. */
const LINGER_MS = 5000;

export const model = {
	boot: null, seq: 0, name: "taskvisor", access: null, phase: null, live: null, ready: null, slots: [], leases: [],
	nodes: new Map(), children: new Map(), counts: new Map(), tasks: 0, timers: 0,
	/** Path to `{rank, until}`, of all that need attention; `until` is set for what has recovered. */
	sick: new Map(),
	/** The paths of `sick`, and of the groups above them. */
	above: new Set(),
};
/** The clock of the process, less that of the browser. */
let offset = 0;
let frozen = null;

/** The time by the clock of the process. It stands still while there is no connection. */
export const now = () => (frozen ?? Date.now()) + offset;
export const freeze = (on) => (frozen = on ? (frozen ?? Date.now()) : null);
export const time = (text) => (text ? Date.parse(text) : null);
export const isGroup = (node) => node.kind === "group";

/** The state by which a node is shown. */
export function shown(node) {
	if (node.problem === "failed" || (node.state === "ended" && BAD.has(node.outcome))) return "failed";
	if (node.problem === "silent" || node.problem === "past_stop") return "silent";
	return node.state === "running" && !node.ready && !isGroup(node) ? "unready" : node.state;
}

export const label = (state) => (state === "unready" ? "not ready" : state);

/** The word for the state of a node. */
export function word(node) {
	if (node.state === "ended") return node.outcome ?? "ended";
	return node.problem === "past_stop" ? "past stop" : label(shown(node));
}

/** The smaller, the more urgent; `null` for a node that needs no attention. */
function rank(node) {
	const at = ["failed", "silent", "backoff", "unready"].indexOf(shown(node));
	if (at >= 0) return at;
	return node.problem && !isGroup(node) ? 4 : null;
}

/** Replaces everything. Returns `true` if this is another process than before. */
export function snapshot(full) {
	const restarted = model.boot !== null && model.boot !== full.boot;
	if (restarted) model.sick.clear();
	const { boot, seq, name, access, slots = [], leases = [], fleet, shutdown_allowed: shutdown } = full;
	Object.assign(model, { boot, seq, name, access, slots, leases, fleet, shutdown, nodes: new Map(), children: new Map() });
	for (const node of full.nodes) add(node);
	for (const paths of model.children.values()) order(paths);
	derive(full);
	return restarted;
}

/** Applies changes. Returns `false` if some are missing in between, so that a new snapshot is needed. */
export function changes(part) {
	if (part.seq <= model.seq) return true;
	if (part.seq !== model.seq + 1) return false;
	model.seq = part.seq;
	for (const key of ["slots", "leases"]) if (part[key]) model[key] = part[key];
	for (const path of part.removed ?? []) remove(path);
	const moved = new Set();
	for (const node of part.nodes ?? []) if (add(node)) moved.add(node.parent);
	for (const parent of moved) order(model.children.get(parent));
	derive(part);
	return true;
}

/** Returns `true` if its siblings have another order now. */
function add(node) {
	const old = model.nodes.get(node.path);
	model.nodes.set(node.path, node);
	if (node.path === "" || old?.index === node.index) return false;
	if (!model.children.has(node.parent)) model.children.set(node.parent, []);
	if (!old) model.children.get(node.parent).push(node.path);
	return true;
}

const order = (paths) => paths.sort((a, b) => model.nodes.get(a).index - model.nodes.get(b).index);

function remove(path) {
	for (const child of [...(model.children.get(path) ?? [])]) remove(child);
	const rest = model.children.get(model.nodes.get(path)?.parent) ?? [];
	if (rest.includes(path)) rest.splice(rest.indexOf(path), 1);
	model.nodes.delete(path);
	model.children.delete(path);
}

/** What follows from the nodes: counts, and what needs attention. Also called each second, for what lingers. */
export function derive(part) {
	for (const key of ["phase", "live", "ready"]) model[key] = part?.[key] ?? model[key];
	if (part) offset = time(part.now) - Date.now();
	const { sick, counts } = model;
	counts.clear();
	model.tasks = model.timers = 0;
	for (const node of model.nodes.values()) {
		if (!isGroup(node)) {
			counts.set(shown(node), (counts.get(shown(node)) ?? 0) + 1);
			model.tasks += 1;
		}
		if (node.next_at) model.timers += 1;
		const urgency = rank(node);
		const known = sick.get(node.path);
		if (urgency !== null) sick.set(node.path, { rank: urgency, until: null });
		else if (known) known.until ??= Date.now() + LINGER_MS;
	}
	for (const [path, { until }] of sick) {
		if (!model.nodes.has(path) || (until !== null && until <= Date.now())) sick.delete(path);
	}
	model.above = ancestors(sick.keys());
}

/** Returns the paths given, and those of all groups above them. */
export function ancestors(paths) {
	const all = new Set();
	for (let path of paths) {
		for (; path !== undefined && !all.has(path); path = model.nodes.get(path)?.parent) all.add(path);
	}
	return all;
}
