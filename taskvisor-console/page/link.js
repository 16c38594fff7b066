// The connection. A browser allows six to one host, so the visible pages of a console share one stream: the page that
// holds a lock has it, and passes on what it gets. A hidden page takes no part. Without locks (plain HTTP) each has one.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ ask, on }, { model }] = await Promise.all(["base", "model"].map(load));

const POLL_MS = 1000;
// A stream says every 15 s that it lives.
const SILENT_MS = 40_000;
const NAME = `taskvisor-console ${location.pathname}`;
const channel = new BroadcastChannel(NAME);

let handlers;
let status = "opening";
let leading = false;
// Ends the part that this page takes; `null` while it is hidden.
let leave = null;
// Parts that came while a page without a stream reads the whole tree.
let held = null;

// `full` and `part` get the messages; `part` returns `false` if it cannot be applied. `status` gets a key of `LINKS`.
export function start(given) {
	handlers = given;
	on(document, "visibilitychange", turn);
	on(window, "pageshow", turn);
	on(window, "pagehide", () => leave?.());
	turn();
}

const send = (kind, data) => leading && channel.postMessage({ kind, data });
// After a goodbye there is no stream to be had before another process answers.
const gone = () => status === "closing" || status === "ended";

function tell(name) {
	send("status", name);
	if (name !== status) handlers.status((status = name));
}

function turn() {
	if (!document.hidden) {
		if (!leave) join();
	} else {
		leave?.();
		if (!gone()) tell("hidden");
	}
}

function join() {
	const end = new AbortController();
	const { signal } = end;
	if (status === "hidden") tell("opening");
	leave = () => {
		leave = held = null;
		leading = false;
		end.abort();
		source.close();
	};
	const lead = () => {
		if (signal.aborted) return undefined;
		leading = true;
		held = null;
		if (gone()) source.poll(status);
		else source.open();
		return new Promise((done) => on(signal, "abort", done));
	};
	if (!navigator.locks) return lead();
	navigator.locks.request(NAME, { signal }, lead).catch(() => {});
	// Another page leads, unless the lock takes its time.
	return setTimeout(() => {
		if (signal.aborted || leading) return;
		catchUp();
	}, 60);
}

channel.onmessage = ({ data: { kind, data } }) => {
	if (!leave || leading) return;
	if (kind === "status") tell(data);
	else receive(kind, data);
};

function receive(kind, text) {
	send(kind, text);
	if (kind === "full") {
		held = null;
		handlers.full(text);
	} else if (held) held.push(text);
	else if (!handlers.part(text)) {
		if (leading) source.open();
		else catchUp();
	}
}

async function catchUp() {
	const parts = (held = []);
	const text = await read().catch(() => new Promise((wake) => setTimeout(wake, POLL_MS)));
	// A snapshot may have come first.
	if (held !== parts) return;
	if (!text) return catchUp();
	receive("full", text);
	for (const part of parts) receive("part", part);
	if (status === "opening") tell("live");
}

async function read() {
	const answer = await ask("tree");
	if (!answer.ok) throw answer;
	return answer.text();
}

// The stream of the leader, and what it does while there is none.
const source = {
	close() {
		this.stream?.close();
		clearTimeout(this.timer);
		this.round = {};
	},

	open() {
		this.close();
		const { round } = this;
		this.stream = new EventSource("?events");
		const take = (name, act) => on(this.stream, name, ({ data }) => {
			if (this.round !== round) return;
			clearTimeout(this.timer);
			this.timer = setTimeout(() => {
				tell("lost");
				this.poll("lost");
			}, SILENT_MS);
			act?.(data);
		});
		take("snapshot", (text) => {
			receive("full", text);
			tell("live");
		});
		take("changes", (text) => receive("part", text));
		take("bye", () => this.poll("closing"));
		take("beat");
		take("error", () => this.poll("lost"));
	},

	// Asks each second. `mode` is what no answer means: `lost`, or after a goodbye `closing` and then `ended`.
	async poll(mode) {
		this.close();
		const { round } = this;
		if (mode === "closing") tell(mode);
		const text = await read().catch(() => null);
		if (this.round !== round) return;
		let next = () => this.poll(mode);
		if (text === null) {
			if (mode === "closing") mode = "ended";
			tell(mode);
		} else {
			const before = model.boot;
			receive("full", text);
			if (before !== model.boot) return this.open();
			if (model.phase === "shutting down" || model.phase === "stopped") tell((mode = "closing"));
			else {
				// There is a process, but no stream: too many look.
				tell("polling");
				next = () => this.open();
			}
		}
		this.timer = setTimeout(next, POLL_MS);
	},
};
