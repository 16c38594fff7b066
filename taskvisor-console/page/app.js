// The page. Its modules are loaded by queries of its own address: a relative path would depend on whether the address of
// the console ends with a slash, and an `import` statement takes no address that is made at run time.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ $, h, icon, put, mark, say, clock, count }, M, link, tree, lists, drawer, log, { act, SHUTDOWN }] = await Promise.all(
	["base", "model", "link", "tree", "lists", "drawer", "log", "actions"].map(load),
);
const { model } = M;
const { filter } = tree;

const LINKS = {
	opening: "connecting", live: "live", polling: "polling", closing: "shutting down", ended: "process ended",
	lost: "no connection", refused: "access refused", hidden: "paused while hidden",
};
/** While the connection is one of these, what is shown is old. */
const STALE = ["ended", "lost", "refused", "hidden"];

let view = "tree";
let status = "opening";
let updated = 0;
let restarted = "";
let dirty = false;
let logged = null;
const chips = new Map();

function openPath(path) {
	if (!model.nodes.has(path)) return;
	if (view === "tree" && !document.activeElement?.closest("#tree")) tree.reveal(path);
	drawer.openDrawer({ path });
	history.replaceState(null, "", `#${encodeURIComponent(path)}`);
}

const openSlot = (slot) => drawer.openDrawer({ slot: slot.name });

tree.makeTree($("tree"), openPath);
const attention = lists.makeAttention($("attention"), openPath);
const timers = lists.makeTimers($("timers"), openPath);
const slots = lists.makeSlots($("slots"), openSlot);
const leases = lists.makeLeases($("leases"), openPath);
drawer.makeDrawer({ open: openPath, close: () => history.replaceState(null, "", location.pathname + location.search) });
log.makeLog($("log"), openPath);

const VIEWS = {
	tree: tree.showTree,
	timers: () => timers.set(lists.timers().filter(tree.matches)),
	slots: () => slots.set(model.slots.filter((slot) => slot.name.toLowerCase().includes(filter.text))),
	leases: () => leases.set(model.leases.filter((lease) => lease.path.toLowerCase().includes(filter.text))),
};

function show(name) {
	view = name;
	for (const tab of $("tabs").children) {
		mark(tab, "aria-selected", tab.id === `tab-${name}`);
		tab.tabIndex = tab.id === `tab-${name}` ? 0 : -1;
	}
	for (const panel of document.querySelectorAll("main > section")) panel.hidden = panel.id !== name;
	mark(document.body, "data-view", name);
	render();
}

/** Draws at the next frame, once, however much has changed. */
function soon() {
	if (!dirty) requestAnimationFrame(render);
	dirty = true;
}

function render() {
	dirty = false;
	header();
	attention.set(lists.attention());
	VIEWS[view]?.();
	drawer.showDrawer();
}

function header() {
	put($("name"), model.name);
	put($("phase"), model.phase ?? "–");
	for (const key of ["live", "ready"]) {
		put($(key), { true: "yes", false: "no" }[model[key]] ?? "–");
		mark($(key), "data-bad", model[key] === false ? "" : null);
	}
	put($("total"), count(model.tasks));
	$("access").hidden = model.access !== "read_only";
	$("shutdown").hidden = !(model.access === "full" && model.shutdown);
	const troubled = lists.troubled();
	const numbers = { "tab-timers": model.timers, "tab-slots": model.slots.length, "tab-leases": model.leases.length };
	for (const [id, n] of Object.entries({ ...numbers, "tab-attention": troubled, "attention-title": troubled })) {
		put($(id).querySelector("b"), n ? count(n) : "");
	}
	for (const name of ["slots", "leases"]) $(`tab-${name}`).hidden = model[name].length === 0 && view !== name;
	for (const [state, chip] of chips) {
		const n = model.counts.get(state) ?? 0;
		// A state that was seen once keeps its place.
		if (n) chip.hidden = false;
		put(chip.lastChild, count(n));
		mark(chip, "data-zero", n ? null : "");
	}
	let text = LINKS[status];
	if (restarted && status === "live") text += `, restarted ${restarted}`;
	if (STALE.includes(status) && updated) text += `, as of ${clock(updated)}`;
	put($("link").lastChild, text);
	mark(document.body, "data-link", status);
	const stale = STALE.includes(status);
	put(document.querySelector("title"), `${stale ? `${LINKS[status]} · ` : troubled ? `(${troubled}) ` : ""}${model.name}`);
	const color = stale ? "888" : troubled ? "d14343" : "2e9e63";
	mark($("icon"), "href", `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="%23${color}"/></svg>`);
}

link.start({
	full(text) {
		const full = JSON.parse(text);
		updated = Date.now();
		if (M.snapshot(full)) {
			restarted = clock(updated);
			log.newProcess();
			say("restarted");
		}
		soon();
		if (logged === model.boot) return;
		logged = model.boot;
		fetch("?log", { cache: "no-store" }).then((answer) => answer.json()).then((body) => log.addLog(body.log ?? [])).catch(() => {});
		if (!drawer.isOpen()) openPath(decodeURIComponent(location.hash.slice(1) || " "));
	},
	part(text) {
		const part = JSON.parse(text);
		if (!M.changes(part)) return false;
		updated = Date.now();
		log.addLog(part.log ?? [], part.log_lost);
		soon();
		return true;
	},
	status(name) {
		status = name;
		M.freeze(STALE.includes(name));
		soon();
	},
});

for (const state of M.STATES) {
	const chip = h("button", { type: "button", class: "chip", "data-state": state, "aria-pressed": false, hidden: "", click() {
		if (!filter.states.delete(state)) filter.states.add(state);
		mark(chip, "aria-pressed", filter.states.has(state));
		show(view === "timers" ? view : "tree");
	} }, icon(state), h("span", { text: M.label(state) }), h("b"));
	chips.set(state, chip);
	$("chips").append(chip);
}

$("filter").addEventListener("input", (event) => {
	filter.text = event.target.value.trim().toLowerCase();
	render();
});

$("tabs").addEventListener("click", (event) => {
	const tab = event.target.closest("[role=tab]");
	if (tab) show(tab.id.slice(4));
});

$("tabs").addEventListener("keydown", (event) => {
	const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
	if (!step) return;
	const tabs = [...$("tabs").children].filter((tab) => tab.offsetParent);
	const next = tabs.at((tabs.indexOf(document.activeElement) + step) % tabs.length);
	show(next.id.slice(4));
	next.focus();
	event.preventDefault();
});

$("shutdown").addEventListener("click", async () => {
	const result = await act(SHUTDOWN);
	if (result && !result.ok) put($("link").lastChild, `shutdown: ${result.text}`);
});

addEventListener("keydown", (event) => {
	if (event.defaultPrevented || document.querySelector("dialog").open || event.ctrlKey || event.metaKey || event.altKey) return;
	const field = event.target.closest?.("input, select");
	if (event.key === "/" && !field) {
		$("filter").select();
		event.preventDefault();
	} else if (event.key === "Escape") {
		if (field?.value) {
			field.value = "";
			field.dispatchEvent(new Event("input"));
		} else if (field) tree.focusTree();
		else if (drawer.isOpen()) drawer.closeDrawer();
		else for (const chip of chips.values()) if (filter.states.has(chip.dataset.state)) chip.click();
	} else if (field === $("filter") && (event.key === "Enter" || event.key === "ArrowDown")) {
		tree.focusTree();
		event.preventDefault();
	}
});

show("tree");

// Ages and countdowns move once a second, and only what is visible is written.
setInterval(() => {
	if (document.hidden) return;
	const before = model.sick.size;
	M.derive();
	if (model.sick.size !== before) soon();
	else {
		if (view === "tree") tree.refreshTree();
		else VIEWS[view]?.();
		attention.render();
		drawer.refreshDrawer();
	}
}, 1000);
