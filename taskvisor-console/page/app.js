// The page. Modules are loaded by queries of its address, as `import` statements cannot.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ $, h, on, ask, icon, put, mark, clock, count }, M, link, tree, lists, drawer, log] = await Promise.all(
	["base", "model", "link", "tree", "lists", "drawer", "log"].map(load),
);
const { model } = M;
const { filter } = tree;

const LINKS = {
	opening: "connecting", live: "live", polling: "polling", closing: "shutting down", ended: "process ended",
	lost: "no connection", hidden: "hidden",
};
let view = "tree";
let status = "opening";
let updated = 0;
let restarted = "";
let dirty = false;
let logged = null;
let refusal = "";

const stale = () => ["ended", "lost", "hidden"].includes(status);

function openPath(path) {
	if (!model.nodes.has(path)) return;
	if (view === "tree" && !document.activeElement.closest("#tree")) tree.reveal(path);
	drawer.openDrawer({ path });
}

const openNode = ({ path }) => openPath(path);

tree.makeTree($("tree"), openPath);
log.makeLog($("log"), openPath);
drawer.makeDrawer(openPath);
const attention = lists.makeAttention($("attention"), openNode);
const timers = lists.makeTimers($("timers"), openNode);
const slots = lists.makeSlots($("slots"), ({ name }) => drawer.openDrawer({ slot: name }));
const leases = lists.makeLeases($("leases"), openNode);
const has = (text) => text.toLowerCase().includes(filter.text);

// Attention and log are beside the others, unless the window is narrow.
const VIEWS = {
	tree: tree.showTree,
	attention() {},
	log() {},
	timers: () => timers.set(lists.timers().filter(tree.matches)),
	slots: () => slots.set(model.slots.filter(({ name }) => has(name))),
	leases: () => leases.set(model.leases.filter(({ path }) => has(path))),
};

for (const name of Object.keys(VIEWS)) {
	const text = name[0].toUpperCase() + name.slice(1);
	$("tabs").append(h("button", { role: "tab", id: `tab-${name}`, "aria-controls": name, click: () => show(name) }, `${text} `, h("b")));
	mark($(name), "role", $(name).closest("main") && "tabpanel");
	mark($(name), "aria-labelledby", `tab-${name}`);
}
const chips = M.STATES.map((state) => {
	const chip = h("button", { class: "chip", "data-state": state, "aria-pressed": "false", hidden: true, click() {
		if (!filter.states.delete(state)) filter.states.add(state);
		mark(chip, "aria-pressed", String(filter.states.has(state)));
		show(view === "timers" ? view : "tree");
	} }, icon(state), M.label(state), h("b"));
	$("chips").append(chip);
	return chip;
});

function show(name) {
	view = name;
	for (const tab of $("tabs").children) {
		mark(tab, "aria-selected", String(tab.id === `tab-${name}`));
		tab.tabIndex = tab.id === `tab-${name}` ? 0 : -1;
	}
	for (const panel of document.querySelectorAll("main > section")) panel.hidden = panel.id !== name;
	mark(document.body, "data-view", name);
	render();
}

// Draws at the next frame.
function soon() {
	if (!dirty) requestAnimationFrame(render);
	dirty = true;
}

function render() {
	dirty = false;
	header();
	attention.set(lists.attention());
	VIEWS[view]();
	drawer.showDrawer();
}

function header() {
	const yes = { true: "yes", false: "no" };
	const troubled = lists.troubled();
	const texts = { name: model.name, phase: model.phase, live: yes[model.live], ready: yes[model.ready], total: count(model.tasks) };
	for (const [id, text] of Object.entries(texts)) put($(id), text ?? "–");
	for (const id of ["live", "ready"]) mark($(id), "data-bad", model[id] === false);
	$("access").hidden = model.access !== "read_only";
	$("shutdown").hidden = model.access !== "full" || !model.shutdown_allowed;
	const numbers = { timers: model.timers, slots: model.slots.length, leases: model.leases.length, attention: troubled };
	for (const [name, n] of Object.entries(numbers)) put($(`tab-${name}`).lastChild, n ? count(n) : "");
	for (const name of ["slots", "leases"]) $(`tab-${name}`).hidden = !numbers[name] && view !== name;
	put($("troubled"), troubled ? count(troubled) : "");
	for (const chip of chips) {
		const n = model.counts[chip.dataset.state] ?? 0;
		// Once seen, it keeps its place.
		if (n) chip.hidden = false;
		put(chip.lastChild, count(n));
		mark(chip, "data-zero", n === 0);
	}
	let text = LINKS[status];
	if (restarted && status === "live") text += `, restarted ${restarted}`;
	if (stale() && updated) text += `, as of ${clock(updated)}`;
	put($("link").lastChild, text + refusal);
	mark(document.body, "data-link", status);
	mark(document.body, "data-new", !model.boot);
	const title = stale() ? `${LINKS[status]} · ` : troubled ? `(${troubled}) ` : "";
	document.title = title + model.name;
}

link.start({
	full(text) {
		updated = Date.now();
		if (M.snapshot(JSON.parse(text))) {
			restarted = clock(updated);
			log.newProcess();
		}
		soon();
		if (logged === model.boot && status === "polling") return;
		logged = model.boot;
		const { newest } = log;
		ask("log").then((answer) => answer.json()).then((body) => log.addLog(body.log, 0, newest)).catch(() => {});
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
		refusal = "";
		M.freeze(stale());
		soon();
	},
});

on($("filter"), "input", ({ target }) => {
	filter.text = target.value.trim().toLowerCase();
	render();
});

on($("tabs"), "keydown", ({ key }) => {
	const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
	const tabs = [...$("tabs").children].filter((tab) => tab.offsetParent);
	const next = tabs.at((tabs.indexOf(document.activeElement) + step) % tabs.length);
	if (step) {
		next.click();
		next.focus();
	}
});

on($("shutdown"), "click", async () => {
	const result = await drawer.act({ verb: "shutdown", text: "Shut down", warning: "All tasks are stopped." });
	refusal = result && !result.ok ? `, shutdown: ${result.text}` : "";
	render();
});

on(window, "keydown", (event) => {
	const { key, target, ctrlKey, metaKey, altKey } = event;
	if ($("ask").open || ctrlKey || metaKey || altKey) return;
	const field = target.closest("input");
	if (key === "Escape") {
		if (field?.value) {
			field.value = "";
			field.dispatchEvent(new Event("input"));
		} else if (field) tree.focusTree();
		else if (drawer.isOpen()) drawer.closeDrawer();
		else for (const chip of chips) if (filter.states.has(chip.dataset.state)) chip.click();
	} else if (key === "/" && !field) $("filter").select();
	else if (target === $("filter") && (key === "Enter" || key === "ArrowDown")) tree.focusTree();
	else return;
	event.preventDefault();
});

show("tree");

setInterval(() => {
	if (document.hidden) return;
	const before = model.sick.size;
	M.derive();
	if (model.sick.size !== before || view !== "tree") return soon();
	tree.refreshTree();
	attention.render();
	drawer.refreshDrawer();
}, 1000);
