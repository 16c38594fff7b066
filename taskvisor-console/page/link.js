// The connection. A browser allows six connections to one host, so the visible pages of one console share one stream:
// the page that holds a lock has it, and passes on what it gets. A hidden page takes no part.
//
// Without a secure context (plain HTTP from another host) there are no locks, and each visible page has its own stream.

const { model } = await import(new URL("?model.js", import.meta.url));

const POLL_MS = 1000;
/** So many polls lie between two attempts to open a stream that was refused. */
const POLLS_PER_STREAM = 5;

const NAME = `taskvisor-console ${location.pathname}`;
const channel = new BroadcastChannel(NAME);
const send = (kind, data) => leading && channel.postMessage({ kind, data });

let handlers;
let status = "opening";
let leading = false;
/** Ends the part that this page takes; `null` while it is hidden. */
let leave = null;
/** Parts that came while a page without a stream reads the whole tree. */
let held = null;

/**
 * Starts. `full` and `part` get the messages of the stream; `part` returns `false` if it cannot be applied. `status` gets
 * `opening`, `live`, `polling`, `closing`, `ended`, `lost`, `refused` or `hidden`.
 */
export function start(given) {
	handlers = given;
	document.addEventListener("visibilitychange", turn);
	addEventListener("pageshow", turn);
	addEventListener("pagehide", () => leave?.());
	turn();
}

export const isLeading = () => leading;

function tell(name) {
	send("status", name);
	if (name === status) return;
	status = name;
	handlers.status(name);
}

function turn() {
	if (document.hidden) {
		leave?.();
		// The end of the process remains true.
		if (status !== "closing" && status !== "ended") tell("hidden");
	} else if (!leave) join();
}

function join() {
	const gone = new AbortController();
	if (status === "hidden") tell("opening");
	const lead = () => {
		if (gone.signal.aborted) return undefined;
		leading = true;
		held = null;
		// After a goodbye there is no stream to be had before another process answers.
		if (status === "closing" || status === "ended") source.poll(status);
		else source.open();
		return new Promise((done) => gone.signal.addEventListener("abort", done));
	};
	leave = () => {
		leave = held = null;
		gone.abort();
		leading = false;
		source.close();
	};
	if (!navigator.locks) return lead();
	navigator.locks.request(NAME, { signal: gone.signal }, lead).catch(() => {});
	// Nobody else leads, unless the lock takes its time.
	return setTimeout(() => {
		if (gone.signal.aborted || leading) return;
		channel.postMessage({ kind: "who" });
		catchUp();
	}, 60);
}

channel.onmessage = ({ data: { kind, data } }) => {
	if (!leave) return;
	if (kind === "who") send("status", status);
	else if (leading) return;
	else if (kind === "status") tell(data);
	else receive(kind, data);
};

function receive(kind, text) {
	send(kind, text);
	if (kind === "full") {
		held = null;
		handlers.full(text);
	} else if (held) held.push(text);
	else if (handlers.part(text) === false) {
		if (leading) source.open();
		else catchUp();
	}
}

/** Reads the whole tree, for a page that has no stream of its own. */
async function catchUp() {
	const parts = (held = []);
	let text;
	try {
		text = await read();
	} catch {
		await new Promise((wake) => setTimeout(wake, POLL_MS));
	}
	// Somebody else may have been faster.
	if (held !== parts || !leave) return;
	if (text === undefined) return catchUp();
	held = null;
	handlers.full(text);
	for (const part of parts) receive("part", part);
}

async function read() {
	const answer = await fetch("?tree", { cache: "no-store", signal: AbortSignal.timeout(5000) });
	if (!answer.ok) throw answer;
	return answer.text();
}

/** The stream of the leader, and what it does while there is none. */
const source = {
	polls: 0,

	close() {
		this.stream?.close();
		clearTimeout(this.timer);
		this.round = {};
	},

	open() {
		this.close();
		const stream = (this.stream = new EventSource("?events"));
		const on = (name, act) => stream.addEventListener(name, (event) => this.stream === stream && act(event.data));
		on("snapshot", (text) => {
			this.polls = 0;
			receive("full", text);
			tell("live");
		});
		on("changes", (text) => receive("part", text));
		on("bye", () => this.poll("closing"));
		on("error", () => this.poll("lost"));
	},

	/** Asks each second. `mode` is what no answer means: `lost`, or after a goodbye `closing` and then `ended`. */
	async poll(mode) {
		this.close();
		this.stream = null;
		if (mode === "closing") tell("closing");
		const { round } = this;
		let text = null;
		let refused = false;
		try {
			text = await read();
		} catch (error) {
			refused = error.status === 403 || error.status === 421;
		}
		if (this.round !== round) return;
		let next = mode;
		if (text === null) {
			if (mode === "closing") next = "ended";
			tell(refused ? "refused" : next);
		} else {
			const { boot, phase } = JSON.parse(text);
			const same = boot === model.boot;
			receive("full", text);
			if (same && (phase === "shutting down" || phase === "stopped")) tell((next = "closing"));
			else {
				next = "lost";
				this.polls += 1;
				if (!same || this.polls % POLLS_PER_STREAM === 1) return this.open();
				tell("polling");
			}
		}
		this.timer = setTimeout(() => this.poll(next), POLL_MS);
	},
};
