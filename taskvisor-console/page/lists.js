// What needs attention, and the timers, slots and leases.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ mark, left, age, moment }, M, { List }] = await Promise.all(["base", "model", "list"].map(load));
const { model } = M;

const until = ({ next_at: at }) => left(M.time(at) - M.now());
const ago = (ms) => ms && age(M.now() - ms);
const well = ({ path }) => !!model.sick.get(path)?.until;
const key = ({ path }) => path;

export const makeAttention = (section, open) => new List(section, {
	role: "listbox", label: "Needs attention", empty: "All is well.",
	columns: [
		["path", "", (node) => node.path || model.name],
		["state", "", M.word],
		["next", "", (node) => (node.next_at ? `in ${until(node)}`.replace("in now", "now") : ago(M.time(node.since)))],
		["error", "", (node) => (well(node) ? "recovered" : (node.last_error ?? node.why?.text))],
	],
	key, state: M.shown, open,
	fill: (row, node) => mark(row, "data-dim", well(node)),
});

// Equal ranks stay in the order in which they began.
export const attention = () => [...model.sick].sort((a, b) => a[1].rank - b[1].rank).map(([path]) => model.nodes.get(path));

// What has just recovered is listed, and not counted.
export const troubled = () => [...model.sick.values()].filter(({ until }) => !until).length;

// When the last attempt ended or, if it still runs, began.
const last = ({ recent }) => recent?.at(-1)?.[1] ?? recent?.at(-1)?.[0];

export const makeTimers = (section, open) => new List(section, {
	label: "Timers",
	columns: [
		["path", "Task", ({ path }) => path],
		["state", "State", M.word],
		["next", "Next in", until],
		["number", "Next at", (node) => moment(M.time(node.next_at), M.now())],
		["number", "Last ago", (node) => ago(last(node))],
		["error", "Last error", ({ last_error: error }) => error],
	],
	key, state: M.shown, open,
});

export function timers() {
	return [...model.nodes.values()].filter((node) => node.next_at).sort((a, b) => M.time(a.next_at) - M.time(b.next_at));
}

const paths = (tasks) => [tasks ?? []].flat().map((task) => task.path).join(", ");

export const makeSlots = (section, open) => new List(section, {
	label: "Slots",
	columns: [
		["path", "Slot", ({ name }) => name],
		["state", "Phase", ({ paused, phase }) => (paused ? "paused" : phase)],
		["number", "Queued", ({ queued = 0, capacity }) => queued + (capacity ? `/${capacity}` : "")],
		["owner", "Owner", ({ owners }) => paths(owners)],
		["owner", "Next", ({ next }) => paths(next)],
		["error", "Queue", ({ queue }) => paths(queue)],
	],
	key: ({ name }) => name, state: ({ paused, phase }) => (paused ? "paused" : ({ idle: "ended", waiting: "pending" }[phase] ?? phase)), open,
});

export const makeLeases = (section, open) => new List(section, {
	label: "Leases",
	columns: [
		["path", "Task or group", ({ path }) => path],
		["state", "Lease", ({ held }) => (held ? "held" : "standby")],
		["number", "Since", ({ since }) => ago(M.time(since))],
		["number", "Token", ({ token }) => token],
		["owner", "Owner", ({ owner }) => owner],
		["error", "Key", ({ key }) => key],
	],
	key, state: ({ held }) => (held ? "running" : "standby"), open,
});
