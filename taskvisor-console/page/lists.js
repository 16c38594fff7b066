// What needs attention, and the timers, slots and leases.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ mark, left, age, moment, count }, M, { List }] = await Promise.all(["base", "model", "list"].map(load));
const { model } = M;

const until = (node) => left(M.time(node.next_at) - M.now());
const ago = (ms) => (ms ? age(M.now() - ms) : "");
const well = (node) => model.sick.get(node.path)?.until != null;

export const makeAttention = (section, open) => new List(section, {
	role: "listbox", label: "Needs attention, the most urgent first", empty: "Nothing. All tasks are well.",
	columns: [
		["path", "", (node) => node.path || model.name],
		["state", "", M.word],
		["next", "", (node) => (node.next_at ? `in ${until(node)}` : ago(M.time(node.since)))],
		["error", "", (node) => (well(node) ? "recovered" : (node.last_error ?? node.why?.text))],
	],
	key: (node) => node.path, state: M.shown, open: (node) => open(node.path),
	fill: (row, node) => mark(row, "data-dim", well(node) ? "" : null),
});

/** Equal ranks stay in the order in which they began, so that a row keeps its place. */
export const attention = () => [...model.sick].sort((a, b) => a[1].rank - b[1].rank).map(([path]) => model.nodes.get(path));

/** How many need attention now: what has just recovered is listed, and not counted. */
export const troubled = () => [...model.sick.values()].filter((entry) => entry.until === null).length;

/** When the last recorded attempt ended or, if it still runs, began. */
const last = (node) => node.recent?.at(-1)?.[1] ?? node.recent?.at(-1)?.[0];

export const makeTimers = (section, open) => new List(section, {
	label: "Timers, the next first", empty: "No task waits for a time.",
	columns: [
		["path", "Task", (node) => node.path],
		["state", "State", M.word],
		["next", "Next in", until],
		["number", "Next at", (node) => moment(M.time(node.next_at), M.now())],
		["number", "Last ago", (node) => ago(last(node))],
		["error", "Last error", (node) => node.last_error],
	],
	key: (node) => node.path, state: M.shown, open: (node) => open(node.path),
});

export function timers() {
	const due = [...model.nodes.values()].filter((node) => node.next_at);
	return due.sort((a, b) => M.time(a.next_at) - M.time(b.next_at));
}

const paths = (tasks) => [tasks ?? []].flat().map((task) => task.path).join(", ");
const PHASES = { idle: "ended", waiting: "pending" };

export const makeSlots = (section, open) => new List(section, {
	label: "Slots", empty: "There are no slots.",
	columns: [
		["path", "Slot", (slot) => slot.name],
		["state", "Phase", (slot) => (slot.paused ? "paused" : slot.phase)],
		["number", "Queued", (slot) => count(slot.queued ?? 0) + (slot.capacity ? `/${count(slot.capacity)}` : "")],
		["owner", "Owner", (slot) => paths(slot.owners)],
		["owner", "Next", (slot) => paths(slot.next)],
		["error", "Queue", (slot) => paths(slot.queue)],
	],
	key: (slot) => slot.name, state: (slot) => (slot.paused ? "paused" : (PHASES[slot.phase] ?? slot.phase)), open,
});

export const makeLeases = (section, open) => new List(section, {
	label: "Leases", empty: "No task needs a lease.",
	columns: [
		["path", "Task or group", (lease) => lease.path],
		["state", "Lease", (lease) => (lease.held ? "held" : "standby")],
		["number", "Since", (lease) => ago(M.time(lease.since))],
		["number", "Token", (lease) => (lease.token == null ? "" : String(lease.token))],
		["owner", "Owner", (lease) => lease.owner],
		["error", "Key", (lease) => lease.key],
	],
	key: (lease) => `${lease.path}\n${lease.key}`, state: (lease) => (lease.held ? "running" : "standby"), open: (lease) => open(lease.path),
});
