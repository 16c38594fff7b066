// A list of any length, of which only the visible rows are in the document. It is one tab stop.

const { h, on, icon, turn, put, mark } = await import(new URL("?base.js", import.meta.url));

let ids = 0;

export class List {
	row = 26;
	items = [];
	places = new Map();
	rows = new Map();
	spare = [];
	iconAt = 0;

	// `columns` are `[class, title, text(item)]`. Optional are `state(item)`, whose icon stands in column `iconAt`, `make(row)`
	// and `fill(row, item)` for more, `open(item)`, and `side(item, forward)` for the arrows.
	constructor(section, { role = "grid", label, empty = "None.", ...options }) {
		Object.assign(this, options);
		this.grid = role !== "listbox";
		this.canvas = h("div", { role: this.grid ? "rowgroup" : "presentation" });
		this.box = h("div", { class: `scroll ${role}`, role, tabindex: 0, "aria-label": label }, this.canvas);
		if (this.grid) {
			const titles = this.columns.map(([name, text]) => h("span", { class: `c-${name}`, role: "columnheader", text }));
			this.canvas.before((this.head = h("div", { class: "row head", role: "row", "aria-rowindex": 1 }, ...titles)));
		}
		this.empty = h("p", { class: "empty", text: empty });
		section.append(this.empty, this.box);
		on(this.box, "scroll", () => this.render());
		on(this.box, "keydown", (event) => this.onKey(event));
		on(this.box, "focus", () => this.places.has(this.active) || this.activate(Math.ceil(this.box.scrollTop / this.row)));
		new ResizeObserver(() => {
			this.row = parseFloat(getComputedStyle(this.box).getPropertyValue("--row"));
			this.set(this.items);
		}).observe(this.box);
	}

	get room() {
		return this.box.clientHeight - (this.head?.offsetHeight ?? 0);
	}

	// Shows these items. The row at the top stays there.
	set(items) {
		const { scrollTop } = this.box;
		const was = this.places.get(this.active);
		const anchor = scrollTop > 0 && this.items[Math.floor(scrollTop / this.row)];
		this.items = items;
		this.places = new Map(items.map((item, at) => [this.key(item), at]));
		this.box.hidden = items.length === 0;
		this.empty.hidden = items.length > 0;
		this.canvas.style.height = `${items.length * this.row}px`;
		mark(this.box, "aria-rowcount", this.grid && items.length + 1);
		if (was !== undefined && items.length && !this.places.has(this.active)) this.active = this.key(items[Math.min(was, items.length - 1)]);
		const place = anchor && this.places.get(this.key(anchor));
		if (place >= 0) this.box.scrollTop = place * this.row + (scrollTop % this.row);
		this.render();
	}

	// Writes the visible rows, and some around them.
	render() {
		const { scrollTop, clientHeight } = this.box;
		if (!clientHeight) return;
		const first = Math.max(0, Math.floor(scrollTop / this.row) - 6);
		const wanted = this.items.slice(first, Math.ceil((scrollTop + clientHeight) / this.row) + 6);
		const keys = new Set(wanted.map(this.key));
		for (const [key, row] of this.rows) if (!keys.has(key) && this.rows.delete(key)) this.spare.push(row);
		this.canvas.style.paddingTop = `${first * this.row}px`;
		wanted.forEach((item, at) => {
			const key = this.key(item);
			const row = this.rows.get(key) ?? this.spare.pop() ?? this.fresh();
			this.rows.set(key, row);
			row.item = item;
			row.classList.toggle("active", key === this.active);
			this.write(row, item, first + at);
			if (this.canvas.children[at] !== row) this.canvas.insertBefore(row, this.canvas.children[at] ?? null);
		});
		for (const row of this.spare) row.remove();
		mark(this.box, "aria-activedescendant", this.rows.get(this.active)?.id);
	}

	fresh() {
		const row = h("div", { class: "row", role: this.grid ? "row" : "option", id: `row-${(ids += 1)}` });
		row.texts = this.columns.map(() => h("bdi"));
		row.append(...row.texts.map((text, at) => h("span", { class: `c-${this.columns[at][0]}`, role: this.grid && "gridcell" }, h("span", {}, text))));
		if (this.state) row.children[this.iconAt].prepend((row.icon = icon("running")));
		this.make?.(row);
		on(row, "click", () => {
			this.activate(this.places.get(this.key(row.item)));
			this.open(row.item);
		});
		return row;
	}

	write(row, item, place) {
		mark(row, "aria-rowindex", this.grid && place + 2);
		mark(row, "aria-posinset", !this.grid && place + 1);
		mark(row, "aria-setsize", !this.grid && this.items.length);
		if (this.state) {
			mark(row, "data-state", this.state(item));
			turn(row.icon, this.state(item));
		}
		row.texts.forEach((text, at) => {
			const value = String(this.columns[at][2](item) || "");
			put(text, value);
			mark(text, "title", value.length > 12 && value);
		});
		this.fill?.(row, item);
	}

	// Makes a row the active one, and brings it into view.
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
		const { key } = event;
		const at = this.places.get(this.active) ?? 0;
		const page = Math.max(1, Math.floor(this.room / this.row) - 1);
		const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.items.length }[key];
		if (to !== undefined) this.activate(to);
		else if (key === "Enter" || key === " ") this.open(this.items[at]);
		else if (this.side && (key === "ArrowLeft" || key === "ArrowRight")) this.side(this.items[at], key === "ArrowRight");
		else return;
		event.preventDefault();
	}
}
