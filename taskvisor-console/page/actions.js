// Actions: a question before what ends something, the request, and the real answer.

const load = (name) => import(new URL(`?${name}.js`, import.meta.url));
const [{ $, say }, { isGroup, model }] = await Promise.all(["base", "model"].map(load));

/** Each has the verb of the request, the text of its button, and what is asked before. */
export function actionsOf(node) {
	const group = isGroup(node);
	const { path, state } = node;
	const some = [node.paused ? { verb: "resume", text: "Resume" } : { verb: "pause", text: "Pause" }];
	if (path === "") return state === "ended" ? [] : some;
	if (["backoff", "interval", "scheduled", "delayed", "throttled"].includes(state)) some.unshift({ verb: "trigger", text: "Run now" });
	const stops = group ? "All its tasks are stopped, and start again." : "The attempt that runs is stopped, and another begins.";
	some.unshift({ verb: "restart", text: "Restart", ask: group || state === "running" ? stops : null });
	if (state !== "ended") some.push({ verb: "cancel", text: "Cancel", ask: "It is requested to stop, and does not start again." });
	return some;
}

export const slotActions = (slot) => [slot.paused ? { verb: "resume_slot", text: "Resume" } : { verb: "pause_slot", text: "Pause" }];
export const SHUTDOWN = { verb: "shutdown", text: "Shut down", ask: "All tasks are stopped, and the shutdown begins." };

/** Asks if need be, acts, and returns `{ok, text}`, or `null` if the answer was no. */
export async function act({ verb, text, ask }, target) {
	const title = `${text} ${target || model.name}`;
	if (ask && !(await confirmed(`${title}?`, ask, text))) return null;
	const result = { ok: false, text: "the process did not answer" };
	try {
		const query = target === undefined ? verb : `${verb}=${encodeURIComponent(target)}`;
		const answer = await fetch(`?${query}`, { method: "POST", cache: "no-store", signal: AbortSignal.timeout(30_000) });
		const body = await answer.json().catch(() => ({}));
		result.ok = answer.ok;
		result.text = answer.ok ? (body.answer ?? "done") : `${body.error ?? "refused"} (${answer.status})`;
	} catch (error) {
		if (error.name === "TimeoutError") result.text = "no answer within 30 s";
	}
	say(`${title}: ${result.text}`);
	return result;
}

function confirmed(title, text, yes) {
	const dialog = document.querySelector("dialog");
	$("ask-title").textContent = title;
	$("ask-text").textContent = text;
	$("ask-yes").textContent = yes;
	dialog.returnValue = "";
	dialog.showModal();
	return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}
