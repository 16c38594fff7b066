// A list of any length, of which only the visible rows are in the document. It is one tab stop: the container has the
// focus, and `aria-activedescendant` names the row that the keys act on.

const { h, icon, turn, put, mark } = await import(new URL("?base.js", import.meta.url));

/** Rows above and below the visible ones. */
const MARGIN = 6;
let ids = 0;

export class List {
	/**
	 * `columns` are `[class, title, text(item)]`. Optional are `state(item)`, whose icon stands in column `iconAt`, `make(row)`
	 * and `fill(row, item)` for more, `open(item)` for Enter and a click, and `side(item, forward)` for the arrows.
	 */
	constructor(section, { role = "grid", label, empty, ...options }) {
		Object.assign(this, { iconAt: 0, items: [], places: new Map(), rows: new Map(), spare: [], active: null }, options);
		this.grid = role !== "listbox";
		this.box = h("div", { class: `scroll ${role}`, role, tabindex: 0, "aria-label": label });
		this.canvas = h("div", { role: this.grid ? "rowgroup" : "presentation" });
		if (this.grid) {
			const titles = this.columns.map(([name, text]) => h("span", { class: `c-${name}`, role: "columnheader", text }));
			this.head = h("div", { class: "row head", role: "row", "aria-rowindex": 1 }, ...titles);
			this.box.append(this.head);
		}
		this.box.append(this.canvas);
		this.empty = h("p", { class: "empty", text: empty });
		section.append(this.empty, this.box);
		this.box.addEventListener("scroll", () => this.render(), { passive: true });
		this.box.addEventListener("keydown", (event) => this.onKey(event));
		this.box.addEventListener("focus", () => {
			if (!this.places.has(this.active)) this.activate(Math.ceil(this.box.scrollTop / this.row));
		});
		new ResizeObserver(() => {
			this.height = 0;
			this.set(this.items);
		}).observe(this.box);
	}

	get row() {
		this.height ||= parseFloat(getComputedStyle(this.box).getPropertyValue("--row"));
		return this.height;
	}

	get room() {
		return this.box.clientHeight - (this.head?.offsetHeight ?? 0);
	}

	/** Shows these items. The row at the top stays there. */
	set(items) {
		this.box.hidden = items.length === 0;
		this.empty.hidden = items.length > 0;
		const { scrollTop } = this.box;
		const was = this.places.get(this.active) ?? 0;
		const anchor = scrollTop > 0 ? this.items[Math.floor(scrollTop / this.row)] : null;
		this.items = items;
		this.places = new Map(items.map((item, at) => [this.key(item), at]));
		this.canvas.style.height = `${items.length * this.row}px`;
		if (this.grid) mark(this.box, "aria-rowcount", items.length + 1);
		if (this.active !== null && !this.places.has(this.active)) {
			this.active = items.length ? this.key(items[Math.min(was, items.length - 1)]) : null;
		}
		const place = anchor ? this.places.get(this.key(anchor)) : undefined;
		if (place !== undefined) {
			const target = place * this.row + (scrollTop % this.row);
			if (Math.abs(target - scrollTop) > 1) this.box.scrollTop = target;
		}
		this.render();
	}

	/** Writes the visible rows. */
	render() {
		if (!this.box.clientHeight) return;
		const first = Math.max(0, Math.floor(this.box.scrollTop / this.row) - MARGIN);
		const wanted = this.items.slice(first, Math.ceil((this.box.scrollTop + this.room) / this.row) + MARGIN);
		const keys = new Set(wanted.map(this.key));
		for (const [key, row] of this.rows) {
			if (keys.has(key)) continue;
			this.rows.delete(key);
			this.spare.push(row);
		}
		this.canvas.style.paddingTop = `${first * this.row}px`;
		wanted.forEach((item, at) => {
			const key = this.key(item);
			const row = this.rows.get(key) ?? this.spare.pop() ?? this.fresh();
			this.rows.set(key, row);
			row.item = item;
			this.write(row, item, first + at);
			row.classList.toggle("active", key === this.active);
			if (this.canvas.children[at] !== row) this.canvas.insertBefore(row, this.canvas.children[at] ?? null);
		});
		for (const row of this.spare) row.remove();
		mark(this.box, "aria-activedescendant", this.rows.get(this.active)?.id);
	}

	fresh() {
		const row = h("div", { class: "row", role: this.grid ? "row" : "option", id: `row-${(ids += 1)}` });
		row.texts = this.columns.map(([name], at) => {
			const text = h("span");
			const cell = h("span", { class: `c-${name}`, role: this.grid ? "gridcell" : null }, text);
			if (this.state && at === this.iconAt) cell.prepend((row.icon = icon("running")));
			row.append(cell);
			return text;
		});
		this.make?.(row);
		row.addEventListener("click", () => {
			this.activate(this.places.get(this.key(row.item)));
			this.open?.(row.item);
		});
		return row;
	}

	write(row, item, place) {
		if (this.grid) mark(row, "aria-rowindex", place + 2);
		else {
			mark(row, "aria-posinset", place + 1);
			mark(row, "aria-setsize", this.items.length);
		}
		if (row.icon) {
			const state = this.state(item);
			mark(row, "data-state", state);
			turn(row.icon, state);
		}
		this.columns.forEach(([, , text], at) => {
			const value = text(item) ?? "";
			put(row.texts[at], value);
			mark(row.texts[at], "title", value.length > 12 ? value : null);
		});
		this.fill?.(row, item);
	}

	/** Makes a row the one that the keys act on, and brings it into view. */
	activate(place) {
		if (place === undefined || !this.items.length) return;
		const at = Math.max(0, Math.min(this.items.length - 1, place));
		this.active = this.key(this.items[at]);
		const top = at * this.row;
		this.box.scrollTop = Math.max(top + this.row - this.room, Math.min(top, this.box.scrollTop));
		this.render();
	}

	onKey(event) {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const at = this.places.get(this.active) ?? 0;
		const page = Math.max(1, Math.floor(this.room / this.row) - 1);
		const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.items.length }[event.key];
		const item = this.items[at];
		if (to !== undefined) this.activate(to);
		else if (item && (event.key === "Enter" || event.key === " ")) this.open?.(item);
		else if (item && this.side && /^Arrow(Left|Right)$/.test(event.key)) this.side(item, event.key === "ArrowRight");
		else return;
		event.preventDefault();
	}
}
